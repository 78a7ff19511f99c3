"""Times of a layer: windows, lanes, drain and neuron unit or readout."""

import numpy as np
from numpy.typing import NDArray

from spikefold.ir.neuron import Integers
from spikefold_hw.cycles import LaneCycles
from spikefold_hw.parts.moves import NEVER
from spikefold_hw.streaming.drain.clock import DrainClock
from spikefold_hw.streaming.layer.shape import LayerShape
from spikefold_hw.streaming.times import Levels, Stream, Streams, Times
from spikefold_hw.streaming.window.clock import ProjectionClock


class LayerTimes(Times):
    """One layer, computed current by current."""

    def __init__(self, layer: LayerShape, levels: Levels, streams: Streams):
        self._layer = layer
        self._windows = [
            ProjectionClock(p, layer.replays(p), levels[p.source], layer.time) for p in layer.projections
        ]
        self._drain = DrainClock(layer.drain_shape, layer.lanes_shape, layer.repeats)
        self._sources = [streams[projection.source] for projection in layer.projections]
        self._skips = [streams[skip.source] for skip in layer.skips]
        for window, source in zip(self._windows, self._sources, strict=True):
            source.read_by(window.free, by_event=window.cells > 0)
        for k, source in enumerate(self._skips):
            source.read_by(_SkipRoom(self, k, layer.buffers[k].depth))
        self._out = streams.get(layer.name, Stream())
        cells = None if layer.neuron is None else layer.time.in_cells(levels[layer.name], layer.map)
        self._counts = None if cells is None else _word_counts(cells, layer.units)
        samples = len(levels[layer.projections[0].source])
        self._per_sample = layer.map.positions * layer.time.steps
        self._cells = samples * self._per_sample
        self._taken = NEVER
        self.freed: list[list[int]] = [[] for _ in layer.skips]
        self._busy = 0

    @property
    def results(self) -> list[int]:
        """Cycle of each sample's last result beat."""
        return self._out.marks[self._per_sample - 1 :: self._per_sample]

    @property
    def lanes(self) -> LaneCycles:
        layer, pairs = self._layer, list(zip(self._layer.projections, self._windows, strict=True))
        digits = sum(sum(window.digits) * layer.replays(projection) for projection, window in pairs)
        adds = sum(sum(window.digits) * (layer.channels // p.window.groups) for p, window in pairs)
        return LaneCycles(layer.name, layer.lanes, self._busy, digits, adds)

    def advance(self) -> bool:
        cell = len(self._out.marks)
        if cell == self._cells:
            return False
        current, repeat = divmod(cell, self._layer.repeats)
        needs = [window.last_cell(current) for window in self._windows]
        if any(len(s.marks) <= need for s, need in zip(self._sources, needs, strict=True)):
            return False
        if any(len(source.marks) <= cell for source in self._skips):
            return False
        free = self._out.free(cell)
        if free is None:
            return False
        counts = None if self._counts is None else self._counts[cell]
        self._drain.begin(free, counts, [source.marks[cell] for source in self._skips])
        if repeat == 0:
            complete = [s.marks[need] for s, need in zip(self._sources, needs, strict=True)]
            arrivals = [
                np.concatenate(s.events[need + 1 - w.cells : need + 1]) if w.cells else None
                for s, w, need in zip(self._sources, self._windows, needs, strict=True)
            ]
            self._accumulate(list(zip(self._windows, complete, arrivals, strict=True)))
        self._out.send(self._drain.end(), self._drain.events)
        for k, freed in enumerate(self.freed):
            freed.append(self._drain.skip_freed(k))
        return True

    def _accumulate(self, sources: list[tuple[ProjectionClock, int, Integers | None]]) -> None:
        """All blocks of a current: the digits of every window in turn, then the flush.

        Of every window: when it is complete, and when its events came where they come from the source.
        """
        for block in range(self._layer.blocks.count):
            turn, begin = self._taken + 1, self._taken
            for k, (window, complete, arrivals) in enumerate(sources):
                window.begin(block, complete, arrivals)
                start, ends = window.issue(block, turn)
                if k == 0:
                    begin = max(begin, start - 1)
                turn = ends + 1
                if k < len(sources) - 1:
                    window.flushed(ends)
            self._taken = self._drain.flush(ends)
            window.flushed(self._taken)
            self._busy += self._taken - begin


class _SkipRoom:
    """When a skip's buffer has room for a cell: once the cell `depth` before it has been read."""

    def __init__(self, layer: LayerTimes, skip: int, depth: int):
        self._layer, self._skip, self._depth = layer, skip, depth

    def __call__(self, cell: int) -> int | None:
        if cell < self._depth:
            return NEVER
        freed = self._layer.freed[self._skip]
        return freed[cell - self._depth] if cell - self._depth < len(freed) else None


def _word_counts(cells: NDArray[np.integer], units: int) -> NDArray[np.integer]:
    """Events in every word of every cell, (cells, words)."""
    counts: NDArray[np.integer] = (cells > 0).reshape(len(cells), -1, units).sum(axis=2)
    return counts
