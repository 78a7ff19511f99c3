"""Times of every stage of a network, cell by cell, and of the streams between them."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from spikefold.ir.maps import Map
from spikefold.ir.network import INPUT
from spikefold.ir.profile import (
    AddProfile,
    LayerProfile,
    Order,
    PoolProfile,
    Profile,
)
from spikefold_hw.drain_clock import DrainClock
from spikefold_hw.stage_clocks import AddClock, PoolClock
from spikefold_hw.window_clock import NEVER, GatherClock, TapTimes, WindowClock

Levels = Mapping[str, NDArray[np.integer]]
Free = Callable[[int], int | None]


class Stream:
    """A source's cells: when their marks are taken, and who must have room for them.

    Attributes
    ----------
    marks
        Cycle of the handshake of every cell's mark, so far.
    """

    def __init__(self) -> None:
        self.marks: list[int] = []
        self._readers: list[Free] = []

    def read_by(self, free: Free) -> None:
        """Add a reader; `free` gives the cycle in which it accepts a cell's first beat, or None."""
        self._readers.append(free)

    def free(self, cell: int) -> int | None:
        """First cycle in which all readers accept a cell's first beat; None if one is not known yet."""
        first = NEVER
        for reader in self._readers:
            free = reader(cell)
            if free is None:
                return None
            first = max(first, free)
        return first


def in_cells(levels: NDArray[np.integer], map_: Map, order: Order) -> NDArray[np.integer]:
    """Levels (samples, steps, *shape) of a map as cells in stream order, (cells, channels)."""
    array = levels.reshape(*levels.shape[:2], map_.channels, map_.positions)
    axes = (0, 3, 1, 2) if order == "innermost" else (0, 1, 3, 2)
    return array.transpose(axes).reshape(-1, map_.channels)


def _first_channels(cells: NDArray[np.integer]) -> list[int]:
    """The first channel of every cell that sends something: a silent cell's mark comes at its last."""
    fires = cells > 0
    return np.where(fires.any(axis=1), fires.argmax(axis=1), cells.shape[1] - 1).tolist()


class InputTimes:
    """A source that is always valid."""

    def __init__(self, profile: Profile, levels: Levels, streams: Mapping[str, Stream]):
        cells = in_cells(levels[INPUT], profile.input.map, profile.order)
        self._beats = np.maximum((cells > 0).sum(axis=1), 1).tolist()
        self._stream = streams[INPUT]
        self._per_sample = profile.input.map.positions * profile.input.steps
        self._last = -1
        self.starts: list[int] = []

    def advance(self) -> bool:
        """Send the next cell, if there is one and its room is known."""
        cell = len(self._stream.marks)
        free = self._stream.free(cell) if cell < len(self._beats) else None
        if free is None:
            return False
        start = max(self._last + 1, free)
        self._last = start + self._beats[cell] - 1
        self._stream.marks.append(self._last)
        if cell % self._per_sample == 0:
            self.starts.append(start)
        return True


class LayerTimes:
    """One layer: windows, lanes, drain and neuron unit or readout."""

    def __init__(self, profile: Profile, layer: LayerProfile, levels: Levels, streams: Mapping[str, Stream]):
        self.profile = layer
        self._windows = [WindowClock(layer, w, levels[w.source], profile.order) for w in layer.windows]
        self._drain = DrainClock(layer, profile.steps, profile.order)
        self._sources = [streams[w.source] for w in layer.windows]
        self._skips = [streams[skip.source] for skip in layer.skips]
        for window, source in zip(self._windows, self._sources, strict=True):
            source.read_by(window.free)
        for k, source in enumerate(self._skips):
            source.read_by(_SkipRoom(self, k, layer.skips[k].buffer.depth))
        self._out = streams.get(layer.name, Stream())
        cells = None if layer.neuron is None else in_cells(levels[layer.name], layer.map, profile.order)
        self._counts = None if cells is None else _word_counts(cells, layer.drain)
        samples = len(levels[INPUT])
        self._per_sample = layer.map.positions * profile.steps
        self._cells = samples * self._per_sample
        self._taken = NEVER
        self.freed: list[list[int]] = [[] for _ in layer.skips]
        self.busy = 0
        self.digits = sum(sum(w.digits) * layer.replays(w.profile) for w in self._windows)
        self.adds = sum(self._adds(w) for w in self._windows)

    @property
    def results(self) -> list[int]:
        """Cycle of each sample's last result beat."""
        return self._out.marks[self._per_sample - 1 :: self._per_sample]

    def _adds(self, window: WindowClock) -> int:
        groups = window.scan.groups
        return sum(window.digits) * (self.profile.channels // groups)

    def advance(self) -> bool:
        """Compute the next cell, if there is one and all it depends on is known."""
        cell = len(self._out.marks)
        if cell == self._cells:
            return False
        current, repeat = divmod(cell, self.profile.repeats)
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
            self._accumulate(complete)
        self._out.marks.append(self._drain.end())
        for k, freed in enumerate(self.freed):
            freed.append(self._drain.skip_freed(k))
        return True

    def _accumulate(self, complete: list[int]) -> None:
        """All blocks of a current: the digits of every window in turn, then the flush."""
        for block in range(self.profile.blocks):
            turn, begin = self._taken + 1, self._taken
            for k, (window, mark) in enumerate(zip(self._windows, complete, strict=True)):
                window.begin(block, mark)
                start, ends = window.issue(block, turn)
                if k == 0:
                    begin = max(begin, start - 1)
                turn = ends + 1
                if k < len(self._windows) - 1:
                    window.flushed(ends)
            self._taken = self._drain.flush(ends)
            window.flushed(self._taken)
            self.busy += self._taken - begin


class _SkipRoom:
    """When a skip's buffer has room for a cell: once the cell `depth` before it has been read."""

    def __init__(self, layer: LayerTimes, skip: int, depth: int):
        self._layer, self._skip, self._depth = layer, skip, depth

    def __call__(self, cell: int) -> int | None:
        if cell < self._depth:
            return NEVER
        freed = self._layer.freed[self._skip]
        return freed[cell - self._depth] if cell - self._depth < len(freed) else None


def _word_counts(cells: NDArray[np.integer], drain: int) -> NDArray[np.integer]:
    """Events in every word of every cell, (cells, words)."""
    return (cells > 0).reshape(len(cells), -1, drain).sum(axis=2)


class PoolTimes:
    """A pool: line buffer and pooling unit."""

    def __init__(self, profile: Profile, pool: PoolProfile, levels: Levels, streams: Mapping[str, Stream]):
        self.profile = pool
        scan = pool.scan
        self._gather = GatherClock(scan, TapTimes.of(levels[scan.source], scan, profile.order))
        self._unit = PoolClock(pool.map.channels)
        self._source, self._out = streams[scan.source], streams[pool.name]
        self._source.read_by(self._gather.free)
        self._first = _first_channels(in_cells(levels[pool.name], pool.map, profile.order))
        self._needed = np.asarray(scan.window.needed).tolist()

    def advance(self) -> bool:
        """Compute the next cell, if there is one and all it depends on is known."""
        cell, scan = len(self._out.marks), self.profile.scan
        if cell == len(self._first):
            return False
        place, step = divmod(cell, scan.steps)
        maps, output = divmod(place, scan.window.outputs)
        need = (maps * scan.map.positions + self._needed[output]) * scan.steps + step
        free = self._out.free(cell)
        if free is None or len(self._source.marks) <= need:
            return False
        mark = self._gather.window(self._source.marks[need], self._unit.accepts())
        self._out.marks.append(self._unit.window(mark, self._first[cell], free))
        return True


class AddTimes:
    """The sum of two streams."""

    def __init__(self, profile: Profile, add: AddProfile, levels: Levels, streams: Mapping[str, Stream]):
        self.profile = add
        self._unit = AddClock(add)
        self._sources, self._out = [streams[b.source] for b in add.buffers], streams[add.name]
        for port, source in enumerate(self._sources):
            source.read_by(lambda cell, port=port: self._unit.freed(port, cell))
        self._first = _first_channels(in_cells(levels[add.name], add.map, profile.order))

    def advance(self) -> bool:
        """Compute the next cell, if there is one and all it depends on is known."""
        cell = len(self._out.marks)
        if cell == len(self._first) or any(len(source.marks) <= cell for source in self._sources):
            return False
        free = self._out.free(cell)
        if free is None:
            return False
        first, second = (source.marks[cell] for source in self._sources)
        self._out.marks.append(self._unit.cell(first, second, free, self._first[cell]))
        return True


Times = InputTimes | LayerTimes | PoolTimes | AddTimes
_KINDS = {LayerProfile: LayerTimes, PoolProfile: PoolTimes, AddProfile: AddTimes}


def network_times(profile: Profile, levels: Levels) -> tuple[InputTimes, list[LayerTimes]]:
    """Run the recursion over all cells of all samples; returns the input's times and the layers'.

    Parameters
    ----------
    levels
        As `spikefold_hw.cycles.predict`.
    """
    levels = {name: presented(profile, name, values) for name, values in levels.items()}
    streams = {name: Stream() for name in profile.sources}
    stages: list[Times] = [InputTimes(profile, levels, streams)]
    stages += [_KINDS[type(stage)](profile, stage, levels, streams) for stage in profile.stages]
    # Consumers first, so that few cells are under way at a time.
    while sum(_advance_all(stage) for stage in stages[::-1]):
        pass
    first = stages[0]
    assert isinstance(first, InputTimes)
    return first, [stage for stage in stages if isinstance(stage, LayerTimes)]


def _advance_all(stage: Times) -> bool:
    moved = False
    while stage.advance():
        moved = True
    return moved


def presented(profile: Profile, name: str, levels: NDArray[np.integer]) -> NDArray[np.integer]:
    """A static input's levels at every time step that the stream presents."""
    if name != INPUT or levels.shape[1] == profile.input.steps:
        return levels
    return np.broadcast_to(levels, (len(levels), profile.input.steps, *levels.shape[2:]))
