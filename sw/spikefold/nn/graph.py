"""Read a model as a directed acyclic graph of layers."""

from collections import Counter
from dataclasses import dataclass

import torch
import torch.fx

from spikefold.errors import ModelError
from spikefold.nn.kinds import LAYERS, kind_of, supported


@dataclass(frozen=True)
class Node:
    """One layer of a model.

    ``name`` is the module's path in the model and unique; ``kind`` is a key of ``spikefold.nn.kinds.KINDS``;
    ``inputs`` are the names of the layers it reads, in argument order, empty if it reads the model's input.
    """

    name: str
    kind: str
    module: torch.nn.Module
    inputs: tuple[str, ...]


class _Tracer(torch.fx.Tracer):
    """Trace through containers; every layer of torch or spikefold stays whole, subclasses too."""

    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, LAYERS) or super().is_leaf_module(m, module_qualified_name)


def graph(model: torch.nn.Module) -> list[Node]:
    """Return the layers of ``model`` in the order they are computed.

    The model may be a ``Sequential`` or any module whose ``forward`` only calls layers; it takes one tensor
    and returns one. Layers whose result is not used are left out.

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
    traced = _trace(model)
    modules = dict(model.named_modules())
    nodes = [
        _node(fx_node, modules) for fx_node in traced.nodes if fx_node.op not in ("placeholder", "output")
    ]
    if not nodes:
        raise ModelError("Model must hold at least one layer, but its forward calls none")
    for name, count in Counter(node.name for node in nodes).items():
        if count > 1:
            raise ModelError(f"Layer {name!r} must be called once, not {count} times; add a layer per call")
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
    for node in reversed(list(traced.nodes)):
        if not node.users and node.op not in ("placeholder", "output"):
            traced.erase_node(node)
    return traced


def _node(fx_node: torch.fx.Node, modules: dict[str, torch.nn.Module]) -> Node:
    """Turn a traced call into a Node, or refuse it by name."""
    if fx_node.op != "call_module":
        target = (
            fx_node.target if isinstance(fx_node.target, str) else getattr(fx_node.target, "__name__", "?")
        )
        raise ModelError(
            f"Operation {target!r} (node {fx_node.name!r}) is not supported in a model; "
            f"use layers only: {supported()}"
        )
    name, module = str(fx_node.target), modules[str(fx_node.target)]
    kind = kind_of(module)
    if kind is None:
        raise ModelError(
            f"Layer {name!r} is a {type(module).__name__}, which is not supported; use one of: {supported()}"
        )
    if kind.name == "flatten" and (module.start_dim, module.end_dim) != (2, -1):
        raise ModelError(
            f"Layer {name!r} must keep the time and batch axes (start_dim=2, end_dim=-1), "
            f"not flatten from axis {module.start_dim!r} to {module.end_dim!r}; use spikefold.nn.Flatten"
        )
    sources = [node for node in fx_node.all_input_nodes if node.op != "placeholder"]
    return Node(name, kind.name, module, tuple(_path(node) for node in sources))


def _path(fx_node: torch.fx.Node) -> str:
    return str(fx_node.target)
