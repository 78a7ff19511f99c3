"""When a sum takes and sends its cells: a max-plus recursion, exact to the cycle."""

from spikefold_hw.parts.level_buffer import LevelBuffer
from spikefold_hw.parts.moves import NEVER
from spikefold_hw.streaming.join.shape import JoinShape
from spikefold_hw.streaming.join.unit import AddUnit
from spikefold_hw.streaming.scan_clock import ScanClock


class AddClock:
    """Times of an `AddUnit`, cell by cell; `scan` are those of its pipeline."""

    def __init__(self, shape: JoinShape):
        self.scan = ScanClock(shape.map.channels, AddUnit.latency - LevelBuffer.fill_latency)
        self._depths = [buffer.depth for buffer in shape.buffers]
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
        left = self.scan.cell(max(mark0, mark1) + LevelBuffer.fill_latency, first, free)
        self._read.append(self.scan.moved(0))
        return left
