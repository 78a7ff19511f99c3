"""When pools and sums take and send their cells: max-plus recursions, exact to the cycle.

Times are cycles of handshakes, as in `spikefold_hw.cycles`.
"""

from spikefold.ir.profile import AddProfile
from spikefold_hw.add import AddUnit
from spikefold_hw.levels import LevelBuffer
from spikefold_hw.moves import NEVER, Moves
from spikefold_hw.pool import PoolUnit


class _ScanClock:
    """A rigid pipeline that sends cells, one channel per cycle, `latency` moves after it reads it."""

    def __init__(self, channels: int, latency: int):
        self._channels = channels
        self._latency = latency
        self._moves = Moves()
        self._last = NEVER  # the move with which the last channel of the cell before was read

    def cell(self, ripe: int, first: int, free: int) -> int:
        """Send a cell that may be read from cycle `ripe` on; returns the cycle in which its mark leaves."""
        self._moves.forget(self._last)
        begin = max(self._moves.first(ripe), self._last + 1)
        self._moves.hold(begin + first + self._latency, free)
        self._last = begin + self._channels - 1
        return self.moved(self._latency)

    def moved(self, moves: int) -> int:
        """Cycle of that many moves after the one with which the last channel was read."""
        return self._moves.at(self._last + moves)


class PoolClock:
    """Times of a `PoolUnit` that is clear, window by window."""

    def __init__(self, channels: int):
        self._scan = _ScanClock(channels, PoolUnit.scan_latency)
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
        left = self._scan.cell(mark + PoolUnit.latency - PoolUnit.scan_latency, first, free)
        self._accepts = (self._accepts[1], self._scan.moved(PoolUnit.scan_latency - 1) + 1)
        return left


class AddClock:
    """Times of an `AddUnit`, cell by cell."""

    def __init__(self, profile: AddProfile):
        self._scan = _ScanClock(profile.map.channels, AddUnit.latency - LevelBuffer.fill_latency)
        self._depths = [buffer.depth for buffer in profile.buffers]
        self._read: list[int] = []  # per cell: its last channel was read

    def freed(self, port: int, cell: int) -> int | None:
        """First cycle in which a port accepts the first beat of the `cell`-th cell, from 0.

        None if that depends on a cell that has not been added yet.
        """
        before = cell - self._depths[port]
        if before < 0:
            return NEVER
        return self._read[before] + 1 if before < len(self._read) else None

    def cell(self, mark0: int, mark1: int, free: int, first: int) -> int:
        """Add the next cell; returns the cycle in which its mark leaves.

        Parameters
        ----------
        mark0, mark1
            Cycles of the cell's marks at both ports.
        free
            First cycle in which the sum's first beat is accepted downstream.
        first
            The first channel that sends an event (or the mark).
        """
        left = self._scan.cell(max(mark0, mark1) + LevelBuffer.fill_latency, first, free)
        self._read.append(self._scan.moved(0))
        return left
