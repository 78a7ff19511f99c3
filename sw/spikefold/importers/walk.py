"""Walk a live torch module and make nodes of this package out of its layers."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.fx
from torch import Tensor

from spikefold.errors import ImportRefusal, InputError, ModelError
from spikefold.importers.calls import (
    Averaged,
    Call,
    Given,
    Kept,
    Meaning,
    Membrane,
    Size,
    Stacked,
    Value,
    Zeros,
    resolve,
)
from spikefold.importers.framing import framed
from spikefold.importers.grid import Grid
from spikefold.importers.imported import OUTPUT, Imported, Note
from spikefold.importers.peaks import check_peaks
from spikefold.importers.table import Converter, Place, Table, plain_class
from spikefold.importers.tracing import traced
from spikefold.nn import Add, Input, Node, Readout, SpikingNeuron
from spikefold.nn.dag import assemble
from spikefold.nn.kinds import kind_of

_ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")


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


class _Walk:
    """What is known so far: nodes, and what each gives on the probe, [T, B, ...]."""

    def __init__(self, module: torch.nn.Module, table: Table, grid: Grid, probe: Tensor, lead: int) -> None:
        self._module, self._table, self._lead, self._grid = module, table, lead, grid
        self._paths = {name for name, _ in module.named_modules()}
        self._probe, self._dtype = probe, _dtype(module)
        self._nodes: list[Node] = []
        self._values: dict[str, Tensor] = {}
        self._calls: dict[str, int] = {}
        self._taps: dict[str, str] = {}
        self._notes: list[Note] = []
        self._half_even: set[str] = set()
        self._strict: set[str] = set()
        self._given: dict[tuple[str, Value], Value] = {}  # by layer and what it read, where a forward loops
        self._visits: dict[str, int] = {}
        self._readout: Value | None = None
        self._input = self._append("input", grid.layer(), ())

    def imported(self) -> Imported:
        """Follow the whole module."""
        last = self._run("", self._module, [self._input])
        if last != self._readout:
            last = self._append("readout", Readout(), (last,))
        self._taps[last.node] = OUTPUT
        self._check_visits()
        check_peaks(self._nodes)
        nodes, padding = framed(self._nodes, self._grid)
        model = assemble(nodes).eval()
        ties = frozenset(self._half_even), frozenset(self._strict)
        return Imported(model, self._taps, (*self._notes, *padding), *ties)

    def _run(self, path: str, module: torch.nn.Module, inputs: Sequence[Value]) -> Value:
        """Convert `module` as it is called; returns what it gives."""
        if self._table.membranes and len(inputs) == 1 and path in self._paths:
            key = (path, inputs[0])
            self._visits[path] = self._visits.get(path, 0) + 1
            if key not in self._given:
                self._given[key] = self._convert(path, module, inputs)
            return self._given[key]
        return self._convert(path, module, inputs)

    def _convert(self, path: str, module: torch.nn.Module, inputs: Sequence[Value]) -> Value:
        converter = self._table.converter(module)
        if converter is not None:
            return self._layer(path, module, converter, self._only(path, inputs))
        chain = plain_class(type(module), self._table.chains)
        if chain is not None:
            return self._chain(path, module, self._table.chains[chain], self._only(path, inputs))
        base, kind = self._table.base(module), type(module).__name__
        if base is not None:
            reason = f"a {kind} extends {base.__name__} by methods of its own"
            raise ImportRefusal(path or kind, reason, self._table.accepted)
        if not any(True for _ in module.children()):
            raise ImportRefusal(path or kind, f"a {kind} is unknown", self._table.accepted)
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
        layers = layer if isinstance(layer, tuple) else () if layer is None else (layer,)
        for number, one in enumerate(layers, 1):
            last = number == len(layers)
            read = self._append(place.name if last else f"{place.name}_{number}", one, (read,))
        if layers and isinstance(layers[-1], SpikingNeuron) and path in self._paths:
            self._taps[read.node] = place.name
        self._half_even |= {read.node} if place.half_even else set()
        self._strict |= {read.node} if place.strict else set()
        return read

    def _follow(self, shown: str, path: str, module: torch.nn.Module, inputs: Sequence[Value]) -> Value:
        """Trace the forward of a module of unknown class."""
        known: dict[torch.fx.Node, Any] = {}
        given = list(inputs)
        for node in traced(shown, module).nodes:
            if node.op == "placeholder":
                if not given and not node.args:
                    raise ImportRefusal(shown, f"its forward takes {node.name!r} too", "one tensor")
                known[node] = given.pop(0) if given else node.args[0]
            elif node.op == "output":
                break
            elif node.op == "call_module":
                child = str(node.target)
                read = [*resolve(node.args, known), *resolve(node.kwargs, known).values()]
                known[node] = self._call(_join(path, child), module.get_submodule(child), read)
            elif node.op == "get_attr":
                known[node] = _constant(module, str(node.target))
            elif node.users:
                known[node] = self._operation(_join(path, node.name), node, known)
        value = resolve(node.args[0], known)
        if isinstance(value, tuple | list) and value and self._table.membranes:
            value = value[0]  # spikes, membranes
        if not isinstance(value, Value):
            raise ImportRefusal(shown, f"its forward returns {type(value).__name__}", "one tensor as result")
        return value

    def _call(self, path: str, module: torch.nn.Module, read: Sequence[Any]) -> Any:
        """A call of a module: what it gives, with its membrane if it gives that too."""
        if not read or not all(isinstance(one, Value | Membrane | Zeros | None) for one in read):
            raise ImportRefusal(path, f"it is called with {list(read)!r}", "layers that read one tensor")
        if not isinstance(module, self._table.membranes):
            return self._run(path, module, read)
        for state in read[1:]:
            if state != Membrane(path) and not (isinstance(state, Zeros) and path not in self._visits):
                raise ImportRefusal(
                    path,
                    "its membrane does not come from its own call in the step before",
                    "membranes that start at 0 and are handed on from step to step",
                )
        gives = getattr(module, "output", False) or not getattr(module, "init_hidden", False)
        value = self._run(path, module, read[:1])
        return (value, Membrane(path)) if gives else value

    def _operation(self, where: str, node: torch.fx.Node, known: Mapping[torch.fx.Node, Any]) -> Any:
        """One function or method of a forward."""
        arguments, options = resolve(node.args, known), resolve(node.kwargs, known)
        if node.target in _ADDITIONS:
            return self._add(where, [*arguments, *options.values()])
        function = self._table.functions.get(node.target)
        call = Call(tuple(arguments), options, self._lead, self._grid.steps)
        found = None if function is None else function(call)
        if found is None:
            name = getattr(node.target, "__name__", str(node.target))
            raise ImportRefusal(where, f"the operation {name!r} is not supported so", self._table.accepted)
        return self._apply(where, found, arguments[0])

    def _apply(self, where: str, found: Meaning, read: Any) -> Any:
        """Carry out what a function means for the value that it reads."""
        if isinstance(found, Size):
            return found
        if isinstance(found, Given | Stacked):
            self._lead = 2 if isinstance(found, Stacked) else self._lead
            return found.value
        if not isinstance(read, Value):
            raise ImportRefusal(where, "it reads something that no layer gives", self._table.accepted)
        if isinstance(found, Averaged):
            self._readout = self._append("readout", Readout(), (read,))
            return self._readout
        if isinstance(found, Kept):
            return read
        for layer in found if isinstance(found, tuple) else (found,):
            read = self._run(where, layer, [read])
        return read

    def _add(self, where: str, summands: Sequence[Any]) -> Value:
        if len(summands) != 2 or not all(isinstance(one, Value) for one in summands):
            raise ImportRefusal(where, "it adds something that no layer gives", "sums of two layers' results")
        return self._append(where, Add(), tuple(summands))

    def _check_visits(self) -> None:
        """A forward that loops must do so for all time steps."""
        for path, visits in self._visits.items():
            if visits not in (1, self._grid.steps):
                raise ImportRefusal(
                    path,
                    f"it is called {visits} times",
                    f"one call, or one for each of {self._grid.steps} time steps",
                )

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
        values = [self._values[source] for source in read] or [self._probe]
        try:
            with torch.no_grad():
                self._values[name] = layer(*values)
        except (InputError, RuntimeError) as error:
            shapes = " and ".join(str(list(value.shape)) for value in values)
            raise ImportRefusal(
                name,
                f"it cannot read [time, batch, ...] of shape {shapes} ({error})",
                "samples of another shape",
            ) from error
        self._nodes.append(Node(name, kind.name, layer, read))
        return Value(name)


def tap(path: str, call: int) -> str:
    """The name of what a layer gives at its `call`-th call, from 1."""
    return path if call == 1 else f"{path}_{call}"


def _refusal(node: str, error: ModelError, accepted: str) -> ModelError:
    """What a layer of this package did not take, as a refusal of the source's layer."""
    return error if isinstance(error, ImportRefusal) else ImportRefusal(node, str(error), accepted)


def _constant(module: torch.nn.Module, name: str) -> Zeros | None:
    """What a forward reads beside its input: only membranes at rest are known."""
    value: Any = module
    for part in name.split("."):
        value = getattr(value, part, None)
    return Zeros() if isinstance(value, Tensor) and not bool(value.any()) else None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _dtype(module: torch.nn.Module) -> torch.dtype:
    tensors = (*module.parameters(), *module.buffers())
    return next((tensor.dtype for tensor in tensors if tensor.is_floating_point()), torch.float32)
