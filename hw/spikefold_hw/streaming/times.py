"""When the cells of every stage's stream are sent: a max-plus recursion over all stages."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from spikefold_hw.cycles import LaneCycles
from spikefold_hw.parts.moves import NEVER

Levels = Mapping[str, NDArray[np.integer]]
"""Levels (samples, presented steps, *shape) by source."""

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


Streams = Mapping[str, Stream]
"""Every event stream by the name of its source."""


class Times(ABC):
    """The times of one stage, cell by cell."""

    @abstractmethod
    def advance(self) -> bool:
        """Compute the next cell, if there is one and all it depends on is known; whether it did."""

    @property
    def lanes(self) -> LaneCycles | None:
        """What its lanes did; None of a stage without lanes."""
        return None


class InputTimes(Times):
    """A source that is always valid.

    Parameters
    ----------
    cells
        Levels of its cells in the order of the stream, (cells, channels).
    per_sample
        Cells of a sample.
    latency
        Cycles from the host's handshake to the stream's: 0, or 1 with a register between that takes a beat
        in the cycle in which the one before leaves it.
    """

    def __init__(self, cells: NDArray[np.integer], per_sample: int, stream: Stream, latency: int = 0):
        self._beats = np.maximum((cells > 0).sum(axis=1), 1).tolist()
        self._stream = stream
        self._per_sample = per_sample
        self._latency = latency
        self._last = latency - 1
        self.starts: list[int] = []

    def advance(self) -> bool:
        cell = len(self._stream.marks)
        free = self._stream.free(cell) if cell < len(self._beats) else None
        if free is None:
            return False
        start = max(self._last + 1, free)
        if cell % self._per_sample == 0:
            self.starts.append(self._last if self._latency else start)
        self._last = start + self._beats[cell] - 1
        self._stream.marks.append(self._last)
        return True


def run(stages: list[Times]) -> None:
    """Advance all stages until nothing moves; consumers first, so that few cells are under way at a time."""
    while sum(_advance_all(stage) for stage in stages[::-1]):
        pass


def first_channels(cells: NDArray[np.integer]) -> list[int]:
    """The first channel of every cell that sends something: a silent cell's mark comes at its last."""
    fires = cells > 0
    firsts: list[int] = np.where(fires.any(axis=1), fires.argmax(axis=1), cells.shape[1] - 1).tolist()
    return firsts


def _advance_all(stage: Times) -> bool:
    moved = False
    while stage.advance():
        moved = True
    return moved
