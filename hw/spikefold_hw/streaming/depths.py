"""How many positions every window and skip must keep, so that nothing can wait for itself.

The stages are run as a marked graph: a stage computes a position as soon as all it reads is there,
consumers before producers. The largest number of positions that are waiting on a connection in that
run is what it must hold: with it at least this one schedule exists, and such a graph then never
deadlocks, in whatever order its stages really work.

A stage that works on a position while the next ones arrive would be held up with so little. So every
stage computes `LAG` positions later than it could, and every connection keeps one position more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikefold.ir.maps import Window
from spikefold.ir.network import Network
from spikefold.ir.neuron import Integers
from spikefold.ir.stages import INPUT, Stage

LAG = 2
"""Positions that a stage is taken to run late: while it works on one, the next ones arrive."""


@dataclass(frozen=True)
class Edge:
    """A connection: the `port`-th thing that `stage` reads, and what of it each position of `stage` needs."""

    source: str
    stage: str
    port: int
    needed: Integers
    released: Integers


def occupancy(network: Network, lag: int = LAG) -> dict[tuple[str, int], int]:
    """Largest number of positions waiting on each connection, by (stage, port).

    Parameters
    ----------
    lag
        How many positions of its own a stage waits beyond what it needs, up to the end of the map.
    """
    edges = [edge for stage in network.stages for edge in _edges(network, stage, lag)]
    names = [INPUT, *network.by_name]
    into = {name: [edge for edge in edges if edge.stage == name] for name in names}
    out_of = {name: [edge for edge in edges if edge.source == name] for name in names}
    total = {name: network.maps[name].positions for name in names}
    done = dict.fromkeys(names, 0)
    largest = {(edge.stage, edge.port): 0 for edge in edges}
    backwards = names[::-1]
    while stage := _next(backwards, into, done, total):
        done[stage] += 1
        for edge in out_of[stage]:
            consumed = done[edge.stage]
            free = int(edge.released[consumed - 1]) if consumed else 0
            key = (edge.stage, edge.port)
            largest[key] = max(largest[key], done[stage] - free)
    return largest


def _edges(network: Network, stage: Stage, lag: int) -> list[Edge]:
    edges = []
    for port, source in enumerate(stage.sources):
        window = stage.window(port, network.maps)
        needed = np.maximum.accumulate(window.needed)
        late = np.minimum(np.arange(len(needed)) + lag, len(needed) - 1)
        edges.append(Edge(source, stage.name, port, needed[late], window.released))
    return edges


def _next(
    names: Sequence[str], into: dict[str, list[Edge]], done: dict[str, int], total: dict[str, int]
) -> str | None:
    """The stage nearest to the readout that can compute its next position."""
    for name in names:
        place = done[name]
        if place < total[name] and all(done[edge.source] > edge.needed[place] for edge in into[name]):
            return name
    return None


def ring_depth(window: Window, kept: int, minimum: int, steps: int, always: bool = False) -> int:
    """Positions a window keeps, or 0 where it needs no buffer of its own.

    None is needed where every window is what the stream brings in one piece: a single position that is
    consumed before the next, or the whole map if its time steps do not come together at each position.

    Parameters
    ----------
    kept, minimum
        Largest occupancy with and without lag.
    steps
        Time steps that come together at a position.
    always
        Whether it has a buffer of its own in any case.
    """
    alone = window.kernel == window.stride == (1, 1) and window.padding == (0, 0) and minimum == 1
    if not always and (alone or (window.whole and steps == 1)):
        return 0
    return kept + window.stride[1]
