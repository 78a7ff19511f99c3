"""When the cells of every stage's stream are sent: a max-plus recursion over all stages."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from spikefold.ir.neuron import Integers
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
    events
        Cycles of the handshakes of every cell's events, so far; nothing unless a reader asks for them.
    """

    def __init__(self) -> None:
        self.marks: list[int] = []
        self.events: list[Integers] = []
        self._readers: list[Free] = []
        self._by_event = False

    def read_by(self, free: Free, by_event: bool = False) -> None:
        """Add a reader; `free` gives the cycle in which it accepts a cell's first beat, or None.

        With `by_event` it works on events before their mark is there.
        """
        self._readers.append(free)
        self._by_event |= by_event

    def send(self, mark: int, events: Callable[[], Integers]) -> None:
        """Add a cell: the cycle of its mark, and how to find those of its events."""
        self.marks.append(mark)
        if self._by_event:
            self.events.append(events())

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
        Cycles from the host's handshake to the stream's: so many registers are between, and each takes a
        beat in the cycle in which the one before leaves it.
    """

    def __init__(self, cells: NDArray[np.integer], per_sample: int, stream: Stream, latency: int = 0):
        self._events = (cells > 0).sum(axis=1).tolist()
        self._stream = stream
        self._per_sample = per_sample
        self._left = deque(range(latency), maxlen=latency)  # when the latest beats left, as many as registers
        self._last = latency - 1
        self.starts: list[int] = []

    def advance(self) -> bool:
        cell = len(self._stream.marks)
        free = self._stream.free(cell) if cell < len(self._events) else None
        if free is None:
            return False
        start = max(self._last + 1, free)
        if cell % self._per_sample == 0:
            self.starts.append(self._left[0] if self._left else start)
        events = self._events[cell]
        self._last = start + max(events, 1) - 1
        self._left.extend(range(start, self._last + 1))
        self._stream.send(self._last, lambda: np.arange(start, start + events))
        return True


def run(stages: list[Times]) -> None:
    """Advance all stages until nothing moves; consumers first, so that few cells are under way at a time."""
    while sum(_advance_all(stage) for stage in stages[::-1]):
        pass


def first_channel(fires: NDArray[np.bool_]) -> int:
    """The first channel of a cell that sends something: a silent cell's mark comes at its last."""
    return int(fires.argmax()) if fires.any() else len(fires) - 1


def _advance_all(stage: Times) -> bool:
    moved = False
    while stage.advance():
        moved = True
    return moved
