"""When a pooling unit takes and sends its cells: a max-plus recursion, exact to the cycle."""

from spikefold_hw.parts.moves import NEVER
from spikefold_hw.parts.pool import PoolUnit
from spikefold_hw.streaming.scan_clock import ScanClock


class PoolClock:
    """Times of a `PoolUnit` that is clear, window by window; `scan` are those of its pipeline."""

    def __init__(self, channels: int):
        self.scan = ScanClock(channels, PoolUnit.scan_latency)
        # When the next window's first beat is accepted, and the next but one's.
        self._accepts = (NEVER, NEVER)

    def accepts(self) -> int:
        """First cycle in which the next window's first beat is accepted."""
        return self._accepts[0]

    def window(self, mark: int, first: int, free: int) -> int:
        """Pool a window; returns the cycle in which its cell's mark leaves.

        Parameters
        ----------
        mark
            Cycle of the window's mark.
        first
            The first channel that sends an event (or the mark).
        free
            First cycle in which that event is accepted downstream.
        """
        left = self.scan.cell(mark + PoolUnit.latency - PoolUnit.scan_latency, first, free)
        self._accepts = (self._accepts[1], self.scan.moved(PoolUnit.scan_latency - 1) + 1)
        return left
