"""When a rigid pipeline that scans cells sends them: exact to the cycle."""

from spikefold.ir.neuron import Integers
from spikefold_hw.parts.moves import NEVER, Moves


class ScanClock:
    """A rigid pipeline that sends cells, one channel per cycle, `latency` moves after it reads it."""

    def __init__(self, channels: int, latency: int):
        self._channels = channels
        self._latency = latency
        self._moves = Moves()
        self._last = NEVER  # the move with which the last channel of the cell before was read

    def cell(self, ripe: int, first: int, free: int) -> int:
        """Send a cell that may be read from cycle `ripe` on; returns the cycle in which its mark leaves.

        Parameters
        ----------
        first
            The first channel that sends an event (or the mark).
        free
            First cycle in which that event is accepted downstream.
        """
        self._moves.forget(self._last)
        begin = max(self._moves.first(ripe), self._last + 1)
        self._moves.hold(begin + first + self._latency, free)
        self._last = begin + self._channels - 1
        return self.moved(self._latency)

    def sent(self, channels: Integers) -> Integers:
        """Cycles in which these channels of the cell leave; all of them come after its first."""
        if not len(channels):
            return channels
        left = channels - self._channels + self._latency + 1  # moves after the last channel was read
        cycles: Integers = left - left[0] + self.moved(int(left[0]))
        return cycles

    def moved(self, moves: int) -> int:
        """Cycle of that many moves after the one with which the last channel was read."""
        return self._moves.at(self._last + moves)
