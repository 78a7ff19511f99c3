"""Read a model as a directed acyclic graph of layers."""

import operator
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count

import torch
import torch.fx

from spikefold.errors import ModelError
from spikefold.nn.kinds import LAYERS, kind_of, supported
from spikefold.nn.layers import Add
from spikefold.nn.refusals import layer_advice, operation_advice

_ADDITIONS = (operator.add, operator.iadd, torch.add, "add")
_SAME_STORAGE = ("dropout", "identity", "flatten")  # in eval mode these may return what they were given


@dataclass(frozen=True)
class Node:
    """One layer of a model.

    ``name`` is the module's path in the model and unique; ``kind`` is a key of ``spikefold.nn.kinds.KINDS``;
    ``inputs`` are the names of the layers it reads, in argument order, empty if it reads the model's input.
    A sum that the model writes as ``a + b`` is a node of kind "add" under a name of its own.
    """

    name: str
    kind: str
    module: torch.nn.Module
    inputs: tuple[str, ...]


class _Proxy(torch.fx.Proxy):
    """A traced value; torch's own would record ``a += b`` as if it left ``a`` as it was."""

    def __iadd__(self, other: object) -> torch.fx.Proxy:
        return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {})


class _Tracer(torch.fx.Tracer):
    """Trace through containers; every layer of torch or spikefold stays whole, subclasses too."""

    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, LAYERS) or super().is_leaf_module(m, module_qualified_name)

    def proxy(self, node: torch.fx.Node) -> torch.fx.Proxy:
        return _Proxy(node, self)


def graph(model: torch.nn.Module) -> list[Node]:
    """Return the layers of ``model`` in the order they are computed; the last gives the model's result.

    The model may be a ``Sequential`` or any module whose ``forward`` only calls layers and adds up what they
    return; it takes one tensor and returns one. Layers whose result is not used are left out.

    Raises
    ------
    ModelError
        If a layer or operation is not supported (it is named), a layer is called twice, the model takes or
        returns anything but one tensor, or its ``forward`` cannot be traced.
    """
    if kind_of(model) is not None:
        raise ModelError(
            f"Model must hold layers, not be a single {type(model).__name__}; wrap it in nn.Sequential"
        )
    reader = _Reader(_trace(model), dict(model.named_modules()))
    nodes = list(reader.nodes())
    if not nodes:
        raise ModelError("Model must hold at least one layer, but its forward calls none")
    for name, calls in Counter(node.name for node in nodes).items():
        if calls > 1:
            raise ModelError(f"Layer {name!r} must be called once, not {calls} times; add a layer per call")
    return nodes


def _trace(model: torch.nn.Module) -> torch.fx.Graph:
    try:
        traced = _Tracer().trace(model)
    except Exception as error:  # a user's forward may raise anything under tracing
        raise ModelError(
            f"Model {type(model).__name__} cannot be read as a graph of layers: {error}; "
            "its forward may only call layers, without branches on tensor values"
        ) from error
    inputs = [node.name for node in traced.nodes if node.op == "placeholder"]
    if len(inputs) != 1:
        raise ModelError(f"Model must take one tensor, not {len(inputs)} arguments {inputs!r}")
    result = next(node for node in traced.nodes if node.op == "output").args[0]
    if not isinstance(result, torch.fx.Node):
        raise ModelError(f"Model must return one tensor, not {type(result).__name__}")
    _check_in_place(traced, dict(model.named_modules()))
    for node in reversed(list(traced.nodes)):
        if not node.users and node.op not in ("placeholder", "output"):
            traced.erase_node(node)
    return traced


def _check_in_place(traced: torch.fx.Graph, modules: dict[str, torch.nn.Module]) -> None:
    """Refuse ``a += b`` where something else reads ``a``, which it would find changed."""
    for node in traced.nodes:
        changed = node.args[0] if node.target is operator.iadd else None
        while isinstance(changed, torch.fx.Node):
            if len(changed.users) > 1:
                raise ModelError(
                    f"Operation '+=' (node {node.name!r}) changes a tensor that is read elsewhere too; "
                    "write a = a + b"
                )
            kind = kind_of(modules[str(changed.target)]) if changed.op == "call_module" else None
            shared = kind is not None and kind.name in _SAME_STORAGE
            changed = changed.all_input_nodes[0] if shared else None


class _Reader:
    """Turns the calls of a traced graph into nodes."""

    def __init__(self, traced: torch.fx.Graph, modules: dict[str, torch.nn.Module]) -> None:
        self._calls = [node for node in traced.nodes if node.op not in ("placeholder", "output")]
        self._modules = modules
        self._names: dict[torch.fx.Node, str] = {}  # of the calls read so far

    def nodes(self) -> Iterator[Node]:
        """Yield the nodes in order, refusing by name what is not supported."""
        for call in self._calls:
            node = self._layer(call) if call.op == "call_module" else self._addition(call)
            self._names[call] = node.name
            yield node

    def _layer(self, call: torch.fx.Node) -> Node:
        name, module = str(call.target), self._modules[str(call.target)]
        kind = kind_of(module)
        if kind is None:
            advice = layer_advice(module) or f"use one of: {supported()}"
            raise ModelError(f"Layer {name!r} is a {type(module).__name__}, which is not supported; {advice}")
        if isinstance(module, torch.nn.Flatten) and (module.start_dim, module.end_dim) != (2, -1):
            raise ModelError(
                f"Layer {name!r} must keep the time and batch axes (start_dim=2, end_dim=-1), "
                f"not flatten from axis {module.start_dim!r} to {module.end_dim!r}; use spikefold.nn.Flatten"
            )
        arguments = (*call.args, *call.kwargs.values())
        if kind.several:
            return Node(name, kind.name, module, self._summands(name, arguments))
        read = arguments[0] if len(arguments) == 1 else None
        if not isinstance(read, torch.fx.Node):
            raise ModelError(f"Layer {name!r} must be called with one tensor, not with {arguments!r}")
        return Node(name, kind.name, module, (self._names[read],) if read in self._names else ())

    def _addition(self, call: torch.fx.Node) -> Node:
        name = call.target if isinstance(call.target, str) else getattr(call.target, "__name__", "?")
        if call.op == "get_attr" or call.target not in _ADDITIONS:
            known = operation_advice(name)
            advice = known or f"use layers and additions only: {supported()}"
            raise ModelError(f"Operation {name!r} (node {call.name!r}) is not supported in a model; {advice}")
        options = dict(call.kwargs)
        given = [options.pop(key) for key in ("input", "other") if key in options]
        if options.pop("alpha", 1) != 1 or options:
            raise ModelError(
                f"Operation {name!r} (node {call.name!r}) must be a plain sum, without {dict(call.kwargs)!r}"
            )
        unique = self._unused_name(call)
        return Node(unique, "add", Add(), self._summands(unique, (*call.args, *given)))

    def _summands(self, name: str, arguments: tuple[object, ...]) -> tuple[str, ...]:
        """Return the names of what an addition reads."""
        if len(arguments) < 2:
            raise ModelError(f"Layer {name!r} (add) must be given at least 2 tensors, not {len(arguments)}")
        names = []
        for argument in arguments:
            if not isinstance(argument, torch.fx.Node) or argument not in self._names:
                what = "the model's input" if isinstance(argument, torch.fx.Node) else repr(argument)
                raise ModelError(f"Layer {name!r} (add) must add outputs of layers, not {what}")
            names.append(self._names[argument])
        return tuple(names)

    def _unused_name(self, call: torch.fx.Node) -> str:
        """Return the call's own name, numbered if a module or another call has it."""
        others = {other.name for other in self._calls if other is not call}
        names = chain([call.name], (f"{call.name}_{i}" for i in count(1)))
        return next(name for name in names if name not in self._modules and name not in others)
