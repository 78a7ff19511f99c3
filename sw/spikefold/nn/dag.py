"""A module made of layers that read each other in any acyclic way, as a model file describes them."""

from collections.abc import Sequence
from itertools import groupby, pairwise

import torch
from torch import Tensor

from spikefold.errors import ModelError
from spikefold.nn.containers import Sequential
from spikefold.nn.graph import Node
from spikefold.nn.kinds import KINDS, LAYERS


class Graph(torch.nn.Module):
    """Layers in the order they are computed; the last one's output is the result.

    Every layer is found under its own path (``graph.stage1.conv``), so tensors keep the names they have in
    the model the nodes were read from. A value is freed when its last reader has run.

    Parameters
    ----------
    nodes : the layers; each reads layers before it, or the model's input where ``inputs`` is empty.

    Raises
    ------
    ModelError
        If a name is not unique, lies inside another layer or cannot be an attribute; if a layer reads one
        that does not come before it, or the wrong number; if a layer is read by none, but is not the last.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        super().__init__()
        check_nodes(nodes)
        last_reader = {source: node.name for node in nodes for source in node.inputs}
        self._plan = [
            (
                node.name,
                node.inputs,
                [source for source in set(node.inputs) if last_reader[source] == node.name],
            )
            for node in nodes
        ]
        for node in nodes:
            _place(self, node, torch.nn.Module)

    def forward(self, x: Tensor) -> Tensor:
        """Run the layers on the model's input ``x`` and return what the last one gives."""
        values: dict[str, Tensor] = {}
        for name, inputs, done in self._plan:
            read = [values[source] for source in inputs] or [x]
            values[name] = self.get_submodule(name)(*read)
            for source in done:
                del values[source]
        return values[name]


def assemble(nodes: Sequence[Node]) -> Sequential | Graph:
    """Build a (nested) Sequential of ``nodes`` where they are a chain that nests, else a Graph."""
    check_nodes(nodes)
    paths = [node.name.split(".") for node in nodes]
    chain = all(node.inputs == (before.name,) for before, node in pairwise(nodes))
    if chain and _nests(paths):
        model = Sequential()
        for node in nodes:
            _place(model, node, Sequential)
        return model
    return Graph(nodes)


def check_nodes(nodes: Sequence[Node]) -> None:
    """Raise ModelError unless names are unique and every layer reads as many earlier ones as it can."""
    known: set[str] = set()
    for node in nodes:
        _check_inputs(node, known)
        if node.name in known:
            raise ModelError(f"Layer names must be unique, but {node.name!r} occurs twice")
        known.add(node.name)
    if not nodes:
        raise ModelError("Model must hold at least one layer, not none")
    unread = known - {source for node in nodes for source in node.inputs} - {nodes[-1].name}
    if unread:
        raise ModelError(f"Layer {min(unread)!r} must be read by a layer after it, but is read by none")


def _check_inputs(node: Node, known: set[str]) -> None:
    """Check what one layer reads; ``known`` are the names of the layers before it."""
    if node.kind not in KINDS:
        raise ModelError(f"Layer {node.name!r} is of unknown kind {node.kind!r}; known: {', '.join(KINDS)}")
    several = KINDS[node.kind].several
    if len(node.inputs) < 2 if several else len(node.inputs) > 1:
        rule = "at least 2 layers" if several else "one layer, or none and the model's input"
        raise ModelError(f"Layer {node.name!r} ({node.kind}) must read {rule}, not {list(node.inputs)!r}")
    for source in node.inputs:
        if source not in known:
            raise ModelError(f"Layer {node.name!r} must read layers that come before it, not {source!r}")


def _nests(paths: list[list[str]]) -> bool:
    """Tell whether, on every level, each name is one layer or one unbroken run of inner layers."""
    groups = [[path[1:] for path in group] for _, group in groupby(paths, key=lambda path: path[0])]
    if len(groups) != len({path[0] for path in paths}):
        return False
    return all(group == [[]] or (all(group) and _nests(group)) for group in groups)


def _place(root: torch.nn.Module, node: Node, container: type[torch.nn.Module]) -> None:
    """Register the layer under its path in ``root``, making containers on the way."""
    *outer, name = node.name.split(".")
    parent = root
    try:
        for part in outer:
            if part not in parent._modules:
                parent.add_module(part, container())
            parent = parent.get_submodule(part)
        if name in parent._modules or isinstance(parent, LAYERS):
            raise KeyError("another layer is in the way")
        parent.add_module(name, node.module)
    except KeyError as error:
        raise ModelError(f"Layer name {node.name!r} cannot be used: {error.args[0]}") from error
