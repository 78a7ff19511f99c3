"""A NIR graph without its subgraphs, in the order in which it is computed."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import nir
import numpy as np

from spikefold.errors import ImportRefusal, InputError, ModelError
from spikefold.formats.hdf5 import check_hdf5
from spikefold.limits import LAYERS

_DEPTH = 16
_ONE = "a graph with one Input and one Output"
_KINDS = ("Linear", "Affine", "Conv1d", "Conv2d", "Scale", "Flatten", "SumPool2d", "AvgPool2d")
_NEURONS = ("Threshold", "IF", "LIF", "I", "LI")
_KNOWN = f"{', '.join((*_KINDS, *_NEURONS))} (I and LI before the Output alone)"
_REASONS = {
    "CubaLIF": "its current decays in a synapse of its own (tau_syn), a state that no neuron here has",
    "CubaLI": "its current decays in a synapse of its own (tau_syn), a state that no neuron here has",
    "Delay": "it delays spikes, and no connection here has a delay",
}
Edge = tuple[str, str]


@dataclass(frozen=True)
class FlatGraph:
    """Nodes between one input and one output.

    Attributes
    ----------
    nodes
        By name, in the order of computation; inner nodes are called `outer.inner`.
    reads
        By node, and for `exit`, the nodes it reads the sum of. No inner Input or Output is left.
    entrance, exit
        Names of the graph's Input and Output; they are no keys of `nodes`.
    shape, result
        Shapes of one sample and of one result, for a single time step.
    metadata
        Of the graph.
    """

    nodes: dict[str, Any]
    reads: dict[str, tuple[str, ...]]
    entrance: str
    exit: str
    shape: tuple[int, ...]
    result: tuple[int, ...]
    metadata: dict[str, Any]


def read_graph(source: Any) -> Any:
    """The graph of a path to a `.nir` file, or the graph itself.

    Raises
    ------
    ModelError
        If the file is missing, damaged or no NIR file, or asks for too much memory.
    InputError
        If `source` is neither.
    """
    if isinstance(source, nir.NIRGraph):
        return source
    if not isinstance(source, str | os.PathLike):
        raise InputError(f"NIR source must be a path or a nir.NIRGraph, not {type(source).__name__}")
    path = Path(source)
    check_hdf5(path, f"NIR file '{path}'", error=ModelError)
    try:
        return nir.read(path, type_check=False)  # nodes that are no graph do not take it
    except Exception as error:  # nir checks what it reads by assertions and by whatever numpy raises
        raise ModelError(f"NIR file '{path}' cannot be read by nir {nir.version}: {error!r}") from error


def flat(graph: Any) -> FlatGraph:
    """Flatten a graph and put its nodes in order.

    Raises
    ------
    ImportRefusal
        If it has not one Input and one Output, a node is of a kind that has no counterpart here, nodes feed
        themselves, or a node leads nowhere or reads nothing.
    """
    nodes, edges = _expanded(graph, "", 0)
    for name, node in nodes.items():
        _check_kind(name, node)
    entrance = _only(nodes, nir.Input, "Input")
    exit_ = _only(nodes, nir.Output, "Output")
    order = _ordered(nodes, edges)
    reads = {name: tuple(one for one in order if (one, name) in edges) for name in order}
    _check_connected(order, edges, entrance, exit_)
    inner = {name: nodes[name] for name in order if name not in (entrance, exit_)}
    shape = _shape(entrance, nodes[entrance].input_type, "input")
    result = _shape(exit_, nodes[exit_].output_type, "output")
    return FlatGraph(inner, reads, entrance, exit_, shape, result, metadata_of(graph))


def metadata_of(node: Any) -> dict[str, Any]:
    """The metadata of a node or graph; none if they are no table."""
    return dict(node.metadata) if isinstance(node.metadata, dict) else {}


def _expanded(graph: Any, prefix: str, depth: int) -> tuple[dict[str, Any], set[Edge]]:
    """Nodes and edges of a graph with those of its subgraphs in their places."""
    if depth > _DEPTH:
        raise ImportRefusal(prefix, f"more than {_DEPTH} graphs lie inside one another", "fewer")
    nodes: dict[str, Any] = {}
    edges: set[Edge] = set()
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            inner, connections = _expanded(node, f"{prefix}{name}.", depth + 1)
            nodes |= inner
            edges |= connections
        else:
            nodes[f"{prefix}{name}"] = node
        if len(nodes) > LAYERS:
            raise ModelError(f"NIR graph must have at most {LAYERS} nodes, but has more")
    for source, target in graph.edges:
        edge = (_end(graph, prefix, source, nir.Output), _end(graph, prefix, target, nir.Input))
        if edge in edges:
            raise ImportRefusal(f"{prefix}{target}", f"two edges lead to it from {edge[0]!r}", "one edge")
        edges.add(edge)
    if depth:
        return nodes, edges
    return _without_inner_ends(graph, nodes, edges)


def _end(graph: Any, prefix: str, name: str, kind: type) -> str:
    """The node that an edge really leads to or from: of a subgraph its Input or Output."""
    if name not in graph.nodes:
        raise ImportRefusal(f"{prefix}{name}", "an edge names it, but there is no such node", _ONE)
    node = graph.nodes[name]
    if not isinstance(node, nir.NIRGraph):
        return f"{prefix}{name}"
    return _end(node, f"{prefix}{name}.", _only(node.nodes, kind, kind.__name__, f"{prefix}{name}"), kind)


def _without_inner_ends(
    graph: Any, nodes: dict[str, Any], edges: set[Edge]
) -> tuple[dict[str, Any], set[Edge]]:
    """Join what comes into a subgraph's Input or Output directly to what reads it."""
    for name in [name for name in nodes if isinstance(nodes[name], nir.Input | nir.Output)]:
        if name in graph.nodes:
            continue
        sources = {source for source, target in edges if target == name}
        targets = {target for source, target in edges if source == name}
        edges = {edge for edge in edges if name not in edge}
        joined = {(source, target) for source in sources for target in targets}
        if edges & joined:
            raise ImportRefusal(name, "two roads lead from one node to another past it", "one edge for each")
        edges |= joined
        del nodes[name]
    return nodes, edges


def _only(nodes: dict[str, Any], kind: type, title: str, where: str = "(graph)") -> str:
    found = [name for name, node in nodes.items() if isinstance(node, kind)]
    if len(found) != 1:
        raise ImportRefusal(where, f"it has {len(found)} nodes of type {title} {found or ''}".strip(), _ONE)
    return found[0]


def _check_kind(name: str, node: Any) -> None:
    kind = type(node).__name__
    if kind in _REASONS:
        raise ImportRefusal(name, f"a {kind}: {_REASONS[kind]}", _KNOWN)
    if kind not in ("Input", "Output", *_KINDS, *_NEURONS):
        raise ImportRefusal(name, f"a node of type {kind} is not supported", _KNOWN)


def _ordered(nodes: dict[str, Any], edges: Iterable[Edge]) -> list[str]:
    before: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in sorted(edges):
        before[target].append(source)
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError as error:
        ring = list(error.args[1])
        raise ImportRefusal(
            ring[0],
            f"it is recurrent: {' -> '.join(reversed(ring))}",
            "a graph without cycles; a neuron's membrane is what a network remembers with",
        ) from None


def _check_connected(order: list[str], edges: set[Edge], entrance: str, exit_: str) -> None:
    for name in order:
        if name != entrance and not any(target == name for _, target in edges):
            raise ImportRefusal(name, "it reads nothing", "nodes on a way from the Input to the Output")
        if name != exit_ and not any(source == name for source, _ in edges):
            raise ImportRefusal(name, "nothing reads it", "nodes on a way from the Input to the Output")
        if (name == entrance and any(target == name for _, target in edges)) or (
            name == exit_ and any(source == name for source, _ in edges)
        ):
            raise ImportRefusal(name, "it stands in the middle of the graph", _ONE)


def _shape(name: str, kind: Any, key: str) -> tuple[int, ...]:
    """The shape an Input or Output gives."""
    sizes = np.asarray(kind.get(key) if isinstance(kind, dict) else None)
    if sizes.dtype.kind not in "iu" or sizes.ndim != 1 or len(sizes) not in (1, 2, 3) or sizes.min() < 1:
        raise ImportRefusal(
            name,
            f"its shape is {sizes.tolist()!r}",
            "(features,), (channels, length) or (channels, rows, columns)",
        )
    return tuple(int(size) for size in sizes)
