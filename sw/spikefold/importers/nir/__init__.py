"""NIR graphs: `nir.read` files and live `nir.NIRGraph`s.

NIR's neurons are differential equations. What a file does not say about the steps (their length, the reset,
how an integrator is read) is asked for. Files that `spikefold.exporters.nir` wrote say it themselves.
"""

from typing import Any

import nir
import numpy as np

from spikefold.errors import ImportRefusal, InputError
from spikefold.importers import rules
from spikefold.importers.grid import Grid
from spikefold.importers.imported import OUTPUT, Imported, Reference
from spikefold.importers.nir.builder import Builder
from spikefold.importers.nir.graph import FlatGraph, flat, metadata_of, read_graph
from spikefold.importers.nir.layers import add_linear
from spikefold.importers.nir.neurons import difference
from spikefold.importers.nir.options import Options
from spikefold.importers.nir.own import grid_of_own, is_own, load_own
from spikefold.importers.nir.readout import add_readout
from spikefold.importers.nir.reference import Interpreter
from spikefold.nn import LIF, remember_leak_terms
from spikefold.nn.dag import assemble

_SAME = 1e-6

__all__ = ["load", "own_grid", "reference"]


def load(
    source: Any,
    grid: Grid | None,
    *,
    dt: float | None = None,
    reset: str | None = None,
    fires: str = "above",
    method: str = "euler",
    readout: str | None = None,
    leak_terms: int = 3,
    leak_error: float = 1 / 64,
) -> Imported:
    """Import a NIR graph.

    Parameters
    ----------
    source
        The path of a `.nir` file, or a `nir.NIRGraph`.
    grid
        The input, of the shape of the graph's Input; where the graph has a Conv1d, (channels, length) is
        given as (channels, 1, length). A file of `spikefold.exporters.nir` brings its own: None, or the same.
    dt, reset, fires, method, readout, leak_terms, leak_error
        See `Options`.

    Raises
    ------
    ImportRefusal
        If a node has no counterpart here or an option is missing.
    ModelError
        If the file cannot be read.
    """
    whole, chosen = read_graph(source), Options(dt, reset, fires, method, readout, leak_terms, leak_error)
    if is_own(whole):
        return load_own(whole, grid, chosen)
    if grid is None:
        raise InputError("Input grid must be given, as a NIR file has none")
    graph = flat(whole)
    builder = _built(graph, grid, chosen)
    neurons = {name for name, given in builder.taps.items() if given != OUTPUT}
    model = assemble(builder.nodes).eval()
    remember_leak_terms(model, leak_terms)
    return Imported(
        model,
        builder.taps,
        tuple(builder.notes),
        strict=frozenset(neurons if chosen.fires == "above" else ()),
        reference=Interpreter(graph, chosen),
    )


def own_grid(source: Any) -> Grid | None:
    """The input of a file of `spikefold.exporters.nir`; None of any other, which does not tell it."""
    graph = read_graph(source)
    return grid_of_own(graph) if is_own(graph) else None


def reference(source: Any, **options: Any) -> Reference:
    """The graph itself, computed node by node from NIR's equations; `options` as for `load`."""
    return Interpreter(flat(read_graph(source)), Options(**options))


def _built(graph: FlatGraph, grid: Grid, options: Options) -> Builder:
    """The layers of all nodes."""
    line = any(isinstance(node, nir.Conv1d) for node in graph.nodes.values())
    builder = Builder(frozenset(graph.nodes), _readers(graph), grid, line)
    _check_input(graph, grid, line)
    builder.given[graph.entrance] = builder.append("input", grid.layer(), [], grid.shape)
    for name, node in graph.nodes.items():
        if isinstance(node, nir.I | nir.LI):
            if graph.reads[graph.exit] != (name,):
                kind = type(node).__name__
                raise ImportRefusal(
                    name, f"a {kind} emits its membrane, no spikes", f"an {kind} before the Output alone"
                )
            continue
        read = builder.summed(name, graph.reads[name])
        if hasattr(node, "threshold") or hasattr(node, "v_threshold"):
            builder.given[name] = _add_neuron(builder, name, node, read, options, graph)
        else:
            builder.given[name] = add_linear(builder, name, node, read)
    add_readout(builder, graph, options)
    return builder


def _add_neuron(
    builder: Builder, name: str, node: Any, source: str, options: Options, graph: FlatGraph
) -> str:
    """Add a population that fires; thresholds that differ between channels go into their currents."""
    shape = builder.shapes[source]
    _check_binary(name, node)
    motion = difference(name, node, builder.native(shape), options)
    assert motion.threshold is not None  # it fires
    leak, note = rules.leaks(name, motion.leak, options.precision)
    gain, threshold = motion.gain, float(motion.threshold[0])
    if not (motion.threshold == threshold).all():
        gain, threshold = gain / motion.threshold, 1.0
    kept = np.asarray(leak)
    decays = ((kept > 0) & (kept < 1)).all() and np.allclose(gain, 1 - kept, rtol=0, atol=_SAME)
    if not decays:
        source = builder.scaled(name, source, gain)
    reset = "none" if isinstance(node, nir.Threshold) else options.reset_of(name, node, graph.metadata)
    layer = LIF(shape[0], threshold, builder.steps, leak, reset=reset, input_decay=bool(decays))
    builder.notes += [note] if note else []
    added = builder.append(name, layer, [source], shape)
    builder.taps[added] = name
    return added


def _check_binary(name: str, node: Any) -> None:
    """Refuse a neuron that was written as one of several levels, where the graph no longer says so."""
    levels = np.asarray(metadata_of(node).get("levels", 1))
    if levels.shape != () or levels != 1:
        raise ImportRefusal(
            name,
            f"its metadata tell of {levels} levels, which a {type(node).__name__} has not",
            "a file as spikefold wrote it, whose graph describes the layers; or a node without 'levels'",
        )


def _readers(graph: FlatGraph) -> dict[str, int]:
    every = [source for sources in graph.reads.values() for source in sources]
    return {name: every.count(name) for name in (graph.entrance, *graph.nodes)}


def _check_input(graph: FlatGraph, grid: Grid, line: bool) -> None:
    shape = (graph.shape[0], 1, *graph.shape[1:]) if line and len(graph.shape) == 2 else graph.shape
    if tuple(grid.shape) != shape:
        raise ImportRefusal(
            graph.entrance,
            f"its samples have shape {list(graph.shape)}, but those of the input grid {list(grid.shape)}",
            f"samples of shape {list(shape)}",
        )
