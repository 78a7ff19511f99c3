"""Times of a sum of two streams."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from spikefold_hw.streaming.join.clock import AddClock
from spikefold_hw.streaming.join.shape import JoinShape
from spikefold_hw.streaming.times import Streams, Times, first_channel


class JoinTimes(Times):
    """A sum, cell by cell; `levels` are its own, (samples, steps, *shape)."""

    def __init__(self, join: JoinShape, levels: NDArray[np.integer], streams: Streams):
        self._unit = AddClock(join)
        self._sources = [streams[buffer.source] for buffer in join.buffers]
        self._out = streams[join.name]
        for port, source in enumerate(self._sources):
            source.read_by(partial(self._unit.freed, port))
        self._fires = join.time.in_cells(levels, join.map) > 0

    def advance(self) -> bool:
        cell = len(self._out.marks)
        if cell == len(self._fires) or any(len(source.marks) <= cell for source in self._sources):
            return False
        free = self._out.free(cell)
        if free is None:
            return False
        first, second = (source.marks[cell] for source in self._sources)
        fires = self._fires[cell]
        mark = self._unit.cell(first, second, free, first_channel(fires))
        self._out.send(mark, lambda: self._unit.scan.sent(fires.nonzero()[0]))
        return True
