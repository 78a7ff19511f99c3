"""Walk a live torch module and make nodes of this package out of its layers."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.fx
from torch import Tensor

from spikefold.errors import ImportRefusal, ModelError
from spikefold.importers.calls import (
    REPETITIONS,
    Averaged,
    Call,
    Function,
    Kept,
    Meaning,
    Size,
    Value,
    resolve,
)
from spikefold.importers.grid import Grid
from spikefold.importers.imported import OUTPUT, Imported, Note
from spikefold.nn import Add, Input, Node, Readout, SpikingNeuron
from spikefold.nn.dag import assemble
from spikefold.nn.kinds import kind_of

_ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")


@dataclass
class Place:
    """Where a layer stands: all that its converter may need beside the layer itself.

    Attributes
    ----------
    name
        Its path in the source.
    value
        What it reads of the probe, [T, B, ...] real values.
    lead
        Leading axes of the source's own tensors there: 2 for [T, B, ...], 1 for [B, ...].
    notes
        To which a converter adds what is not as in the source.
    half_even
        Set where the source's neuron rounds half to even.
    """

    name: str
    value: Tensor
    lead: int
    notes: list[Note] = field(default_factory=list)
    half_even: bool = False

    def noted(self, value: float, note: Note | None) -> float:
        """The value, with its note kept."""
        self.notes += [] if note is None else [note]
        return value

    @property
    def steps(self) -> int:
        """T."""
        return self.value.shape[0]

    @property
    def channels(self) -> int:
        """Channels or features of what it reads."""
        return self.value.shape[2]


Converter = Callable[[Any, Place], torch.nn.Module | None]
"""A layer of the source and its place to a layer of this package, or None where it changes nothing."""


@dataclass(frozen=True)
class Table:
    """What a framework's layers become.

    Attributes
    ----------
    layers
        Converters by class. A subclass counts as its base unless it brings methods of its own.
    chains
        Containers that call their children in order, and the leading axes that these see; None for those that
        the container sees.
    functions
        Operations of a `forward`, by function or name of a method, beside additions.
    stateless
        Classes whose layers may be called more than once.
    accepted
        What a refused layer might be replaced by, in words.
    """

    layers: Mapping[type, Converter]
    chains: Mapping[type, int | None]
    functions: Mapping[Callable[..., Any] | str, Function]
    stateless: tuple[type, ...]
    accepted: str

    def converter(self, module: torch.nn.Module) -> Converter | None:
        """The converter of the module's class, if there is one."""
        base = _plain(type(module), self.layers)
        return None if base is None else self.layers[base]


def _plain(kind: type, known: Mapping[type, object]) -> type | None:
    """The known class that `kind` is, or extends by nothing but a constructor and texts."""
    for base in kind.__mro__:
        if base in known:
            return base
        own = {name for name, value in vars(base).items() if callable(value) or isinstance(value, property)}
        if own - {"__init__", "extra_repr", "__repr__"}:
            return None
    return None


def walk(module: torch.nn.Module, table: Table, grid: Grid, probe: Tensor, lead: int) -> Imported:
    """Follow the forward of `module` from layer to layer, one module at a time.

    Every layer is converted where it is reached and run on a probe, so that converters know shapes and
    values. A module whose class the table does not know is traced by torch.fx with its own modules whole. A
    mean over time at the end is the readout, else one is added.

    Parameters
    ----------
    module
        The source, in eval mode.
    table
        What layers become.
    grid
        The input.
    probe
        Raw samples as `Grid.samples` gives them, that go through the network.
    lead
        Leading axes in the source's tensors: 2 for [T, B, ...], 1 for [B, ...].

    Raises
    ------
    ImportRefusal
        If a layer or operation has no counterpart.
    ModelError
        If a parameter is out of range.
    """
    return _Walk(module, table, grid, probe, lead).imported()


def repeats(module: torch.nn.Module) -> bool:
    """Whether the module's own forward repeats a sample [B, ...] over the time steps."""
    try:
        calls = [node for node in _Tracer().trace(module).nodes if node.op.startswith("call_")]
    except Exception:  # a forward that cannot be traced; walk says so
        return False
    return any(node.target in REPETITIONS for node in calls)


class _Walk:
    """What is known so far: nodes, and what each gives on the probe, [T, B, ...]."""

    def __init__(self, module: torch.nn.Module, table: Table, grid: Grid, probe: Tensor, lead: int) -> None:
        self._module, self._table, self._lead, self._steps = module, table, lead, grid.steps
        self._paths = {name for name, _ in module.named_modules()}
        self._probe, self._dtype = probe, _dtype(module)
        self._nodes: list[Node] = []
        self._values: dict[str, Tensor] = {}
        self._calls: dict[str, int] = {}
        self._taps: dict[str, str] = {}
        self._notes: list[Note] = []
        self._half_even: set[str] = set()
        self._readout: Value | None = None
        self._input = self._append("input", grid.layer(), ())

    def imported(self) -> Imported:
        """Follow the whole module."""
        last = self._run("", self._module, [self._input])
        if last != self._readout:
            last = self._append("readout", Readout(), (last,))
        self._taps[last.node] = OUTPUT
        model = assemble(self._nodes).eval()
        return Imported(model, self._taps, tuple(self._notes), frozenset(self._half_even))

    def _run(self, path: str, module: torch.nn.Module, inputs: Sequence[Value]) -> Value:
        """Convert `module` as it is called; returns what it gives."""
        converter = self._table.converter(module)
        if converter is not None:
            return self._layer(path, module, converter, self._only(path, inputs))
        chain = _plain(type(module), self._table.chains)
        if chain is not None:
            return self._chain(path, module, self._table.chains[chain], self._only(path, inputs))
        if not any(True for _ in module.children()):
            raise ImportRefusal(
                path or type(module).__name__, f"a {type(module).__name__} is unknown", self._table.accepted
            )
        return self._follow(path or type(module).__name__, path, module, inputs)

    def _chain(self, path: str, module: torch.nn.Module, lead: int | None, value: Value) -> Value:
        """Call the children in order."""
        outside, self._lead = self._lead, self._lead if lead is None else lead
        for name, child in module.named_children():
            value = self._run(_join(path, name), child, [value])
        self._lead = outside
        return value

    def _layer(self, path: str, module: torch.nn.Module, converter: Converter, read: Value) -> Value:
        call = self._calls[path] = self._calls.get(path, 0) + 1
        if call > 1 and not isinstance(module, self._table.stateless):
            raise ImportRefusal(path, f"it is called {call} times in one pass", "one layer for every call")
        place = Place(tap(path, call), self._values[read.node], self._lead)
        try:
            layer = converter(module, place)
        except ModelError as error:
            raise _refusal(place.name, error, self._table.accepted) from error
        self._notes += place.notes
        if layer is None:
            return read
        value = self._append(place.name, layer, (read,))
        if isinstance(layer, SpikingNeuron) and path in self._paths:
            self._taps[value.node] = place.name
        if place.half_even:
            self._half_even.add(value.node)
        return value

    def _follow(self, shown: str, path: str, module: torch.nn.Module, inputs: Sequence[Value]) -> Value:
        """Trace the forward of a module of unknown class."""
        known: dict[torch.fx.Node, Any] = {}
        given = list(inputs)
        for node in _traced(shown, module).nodes:
            if node.op == "placeholder":
                if not given and not node.args:
                    raise ImportRefusal(shown, f"its forward takes {node.name!r} too", "one tensor")
                known[node] = given.pop(0) if given else node.args[0]
            elif node.op == "output":
                break
            elif node.op == "call_module":
                child = str(node.target)
                read = [known[argument] for argument in node.all_input_nodes]
                known[node] = self._run(_join(path, child), module.get_submodule(child), read)
            elif node.users:
                known[node] = self._operation(_join(path, node.name), node, known)
        value = resolve(node.args[0], known)
        if not isinstance(value, Value):
            raise ImportRefusal(shown, f"its forward returns {type(value).__name__}", "one tensor as result")
        return value

    def _operation(self, where: str, node: torch.fx.Node, known: Mapping[torch.fx.Node, Any]) -> Value | Size:
        """One function or method of a forward."""
        arguments, options = resolve(node.args, known), resolve(node.kwargs, known)
        if node.op != "get_attr" and node.target in _ADDITIONS:
            return self._add(where, [*arguments, *options.values()])
        function = None if node.op == "get_attr" else self._table.functions.get(node.target)
        call = Call(tuple(arguments), options, self._lead, self._steps)
        found = None if function is None else function(call)
        if found is None:
            name = getattr(node.target, "__name__", str(node.target))
            raise ImportRefusal(where, f"the operation {name!r} is not supported so", self._table.accepted)
        return self._apply(where, found, arguments[0])

    def _apply(self, where: str, found: Meaning, read: Any) -> Value | Size:
        """Carry out what a function means for the value that it reads."""
        if isinstance(found, Size):
            return found
        assert isinstance(read, Value)  # only sizes read anything else
        if isinstance(found, Averaged):
            self._readout = self._append("readout", Readout(), (read,))
            return self._readout
        if isinstance(found, Kept):
            return read
        for layer in found if isinstance(found, tuple) else (found,):
            read = self._run(where, layer, [read])
        result: Value = read
        return result

    def _add(self, where: str, summands: Sequence[Any]) -> Value:
        if len(summands) != 2 or not all(isinstance(one, Value) for one in summands):
            raise ImportRefusal(where, "it adds something that no layer gives", "sums of two layers' results")
        return self._append(where, Add(), tuple(summands))

    def _only(self, path: str, inputs: Sequence[Value]) -> Value:
        if len(inputs) != 1:
            raise ImportRefusal(path, f"it reads {len(inputs)} tensors", "layers that read one tensor")
        return inputs[0]

    def _append(self, wanted: str, layer: torch.nn.Module, inputs: Sequence[Value]) -> Value:
        """Add a node under a name near the wanted one, and run it on the probe."""
        name = wanted
        while name in self._values or (name in self._paths and isinstance(layer, Add | Readout | Input)):
            name += "_"
        kind = kind_of(layer)
        assert kind is not None  # converters give layers of this package
        read = tuple(value.node for value in inputs)
        layer = layer.to(self._dtype).eval()
        with torch.no_grad():
            self._values[name] = layer(*(self._values[source] for source in read) if read else (self._probe,))
        self._nodes.append(Node(name, kind.name, layer, read))
        return Value(name)


def tap(path: str, call: int) -> str:
    """The name of what a layer gives at its `call`-th call, from 1."""
    return path if call == 1 else f"{path}_{call}"


def _refusal(node: str, error: ModelError, accepted: str) -> ModelError:
    """What a layer of this package did not take, as a refusal of the source's layer."""
    return error if isinstance(error, ImportRefusal) else ImportRefusal(node, str(error), accepted)


def _traced(shown: str, module: torch.nn.Module) -> torch.fx.Graph:
    try:
        return _Tracer().trace(module)
    except Exception as error:  # a user's forward may raise anything under tracing
        raise ImportRefusal(
            shown,
            f"the forward of {type(module).__name__} cannot be followed ({error})",
            "a forward that calls layers, without branches or loops on tensors",
        ) from error


class _Tracer(torch.fx.Tracer):
    """Every module that is called stays whole."""

    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        return True


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _dtype(module: torch.nn.Module) -> torch.dtype:
    tensors = (*module.parameters(), *module.buffers())
    return next((tensor.dtype for tensor in tensors if tensor.is_floating_point()), torch.float32)
