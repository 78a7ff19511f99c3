"""Times of a sum of two streams."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from spikefold_hw.streaming.join.clock import AddClock
from spikefold_hw.streaming.join.shape import JoinShape
from spikefold_hw.streaming.times import Streams, Times, first_channels


class JoinTimes(Times):
    """A sum, cell by cell; `levels` are its own, (samples, steps, *shape)."""

    def __init__(self, join: JoinShape, levels: NDArray[np.integer], streams: Streams):
        self._unit = AddClock(join)
        self._sources = [streams[buffer.source] for buffer in join.buffers]
        self._out = streams[join.name]
        for port, source in enumerate(self._sources):
            source.read_by(partial(self._unit.freed, port))
        self._first = first_channels(join.time.in_cells(levels, join.map))

    def advance(self) -> bool:
        cell = len(self._out.marks)
        if cell == len(self._first) or any(len(source.marks) <= cell for source in self._sources):
            return False
        free = self._out.free(cell)
        if free is None:
            return False
        first, second = (source.marks[cell] for source in self._sources)
        self._out.marks.append(self._unit.cell(first, second, free, self._first[cell]))
        return True
