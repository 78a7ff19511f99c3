"""Times of a pool: line buffer and pooling unit."""

import numpy as np
from numpy.typing import NDArray

from spikefold_hw.streaming.pool.clock import PoolClock
from spikefold_hw.streaming.times import Stream, Times, first_channel
from spikefold_hw.streaming.window.clock import GatherClock, TapTimes
from spikefold_hw.streaming.window.shape import WindowShape


class PoolTimes(Times):
    """A pool, window by window.

    Parameters
    ----------
    window, taps
        The window, and what gathering takes.
    cells
        Levels of the pool's own cells, (cells, channels).
    source, out
        The streams it reads and sends.
    """

    def __init__(
        self, window: WindowShape, taps: TapTimes, cells: NDArray[np.integer], source: Stream, out: Stream
    ):
        self._window = window
        self._gather = GatherClock(window, taps)
        self._unit = PoolClock(cells.shape[1])
        self._source, self._out = source, out
        self._source.read_by(self._gather.free)
        self._fires = cells > 0

    def advance(self) -> bool:
        cell = len(self._out.marks)
        if cell == len(self._fires):
            return False
        need = self._window.last_cell(cell)
        free = self._out.free(cell)
        if free is None or len(self._source.marks) <= need:
            return False
        mark = self._gather.window(self._source.marks[need], self._unit.accepts())
        fires = self._fires[cell]
        left = self._unit.window(mark, first_channel(fires), free)
        self._out.send(left, lambda: self._unit.scan.sent(fires.nonzero()[0]))
        return True
