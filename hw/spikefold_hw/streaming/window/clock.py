"""Cycle model of a window: when its taps are gathered, its events stored and its digits issued."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from spikefold.ir.coding import Coding, digit_count
from spikefold.ir.neuron import Integers
from spikefold_hw.order import Time
from spikefold_hw.parts.moves import NEVER, Moves
from spikefold_hw.streaming.window.digit_issuer import DigitIssuer
from spikefold_hw.streaming.window.event_buffer import FREE_AFTER, EventBuffer
from spikefold_hw.streaming.window.gather import LineGather
from spikefold_hw.streaming.window.shape import ProjectionShape, WindowShape
from spikefold_hw.streaming.window.slots import BANKS
from spikefold_hw.streaming.window.walk import WindowWalk


def by_group(levels: NDArray[np.integer], window: WindowShape) -> NDArray[np.integer]:
    """Levels (samples, steps, *shape) as (samples, steps, groups, channels of a group, rows, columns)."""
    shape = (window.groups, window.channels, window.map.height, window.map.width)
    return levels.reshape(*levels.shape[:2], *shape)


def _windows(values: Integers, window: WindowShape, outside: int) -> Integers:
    """Values (.., rows, columns) under the kernel at every output position, (.., rows, columns, taps)."""
    rows, columns = window.padding
    pads = [(0, 0)] * (values.ndim - 2) + [(rows, rows), (columns, columns)]
    padded = np.pad(values, pads, constant_values=outside)
    view = sliding_window_view(padded, window.kernel, axis=(-2, -1))
    view = view[..., :: window.stride[0], :: window.stride[1], :, :]
    return view.reshape(*view.shape[:-2], -1)


def _in_window_order(values: Integers, time: Time) -> list[int]:
    """Values (samples, steps, groups, rows, columns) in the order of the windows: groups innermost."""
    by_position = values.reshape(*values.shape[:3], -1).swapaxes(2, 3)
    ordered: list[int] = time.in_order(by_position).ravel().tolist()
    return ordered


def window_digits(levels: NDArray[np.integer], window: WindowShape, coding: Coding, time: Time) -> list[int]:
    """Digits of every window, in the order of the windows."""
    counts = digit_count(by_group(levels, window).astype(np.int64), coding).sum(axis=3)
    return _in_window_order(_windows(counts, window, 0).sum(axis=-1), time)


@dataclass(frozen=True)
class TapTimes:
    """What gathering a window takes, one entry per window.

    Attributes: cycles of all taps together, of the last and of the one before it; taps before the first
    beat that is sent.
    """

    total: list[int]
    last: list[int]
    before_last: list[int]
    lead: list[int]

    @classmethod
    def of(cls, levels: NDArray[np.integer], window: WindowShape, time: Time) -> "TapTimes":
        """Times for levels (samples, presented steps, *shape)."""
        events = _windows((by_group(levels, window) > 0).sum(axis=3), window, 0)
        times = np.maximum(events, 1)
        some = events.any(axis=-1)
        lead = np.where(some, (events > 0).argmax(axis=-1), events.shape[-1] - 1)
        before = times[..., -2] if times.shape[-1] > 1 else np.zeros_like(lead)
        parts = (times.sum(axis=-1), times[..., -1], before, lead)
        return cls(*(_in_window_order(part, time) for part in parts))


def backlogs(levels: NDArray[np.integer], window: WindowShape, coding: Coding, time: Time) -> list[int]:
    """Cycles from a gathered window's first event to its last digit, if digits wait for each other only.

    One entry per window; nothing can be said of a window without events. A tap's first event decides, as
    no event has fewer digits than the one cycle in which the next one follows.
    """
    of_group = by_group(levels, window)
    events = _windows((of_group > 0).sum(axis=3), window, 0)
    digits = _windows(digit_count(of_group.astype(np.int64), coding).sum(axis=3), window, 0)
    times = np.maximum(events, 1)
    begins = times.cumsum(axis=-1) - times
    rest = digits[..., ::-1].cumsum(axis=-1)[..., ::-1]
    lead = np.where(events > 0, begins, begins.max(initial=0)).min(axis=-1)
    return _in_window_order(np.where(events > 0, begins + rest, 0).max(axis=-1) - lead, time)


class GatherClock:
    """Times of a `LineBuffer`, window by window.

    Attributes
    ----------
    first
        Cycle of the last window's first beat.
    """

    def __init__(self, window: WindowShape, times: TapTimes):
        self._shape = window
        self._times = times
        self._taps = window.taps
        self._moves = Moves()
        self._setups = (NEVER, NEVER, NEVER)  # the next moves with which a window could be set up
        self._began = NEVER  # the cycle in which the last window was
        self._window = 0
        self.first = NEVER
        self._released: list[int] = []  # per output position: cycle in which it gave room
        outputs, positions = window.geometry.outputs, window.map.positions
        self._outputs, self._positions = outputs, positions
        # Which output gives a position's room to the position `depth` later.
        self._frees = np.searchsorted(window.geometry.released, np.arange(positions), side="right").tolist()

    def window(self, complete: int, free: int) -> int:
        """Gather the next window; returns the cycle of its mark's handshake on the output.

        Parameters
        ----------
        complete
            Cycle of the handshake of the last mark the window needs.
        free
            First cycle in which its first beat is accepted.
        """
        k, times, moves = self._window, self._times, self._moves
        moves.forget(self._setups[0])
        known = complete + WindowWalk.available_latency
        setup, first = self._set_up(max(known, self._began + WindowWalk.pace))
        self._began = moves.at(setup)
        sent = first + times.lead[k] + LineGather.event_latency
        # A first beat that must wait is kept, and the pipeline stands still behind it.
        moves.hold(sent + 1, free + 1)
        self.first = max(moves.at(sent), free)
        # A window can be set up in the moves that end the last three of the pauses and taps so far.
        ends = first + times.total[k] - 1
        second = ends - times.last[k]
        self._setups = (second - (times.before_last[k] if self._taps > 1 else 1), second, ends)
        if (k + 1) % (self._shape.groups * self._shape.steps) == 0:
            self._released.append(moves.at(ends))
        self._window += 1
        return max(moves.at(ends + LineGather.event_latency), self.first)

    def _set_up(self, ready: int) -> tuple[int, int]:
        """The moves of the window's setup and of its first tap."""
        early, later, ends = self._setups
        if ready <= self._moves.at(early):
            return early, ends + 2
        if ready <= self._moves.at(later):
            return later, ends + 3
        setup = max(ends, self._moves.first(ready))
        return setup, setup + LineGather.tap_latency

    def free(self, cell: int) -> int | None:
        """First cycle in which the first beat of a source's cell is accepted; None if not known yet."""
        position, step = divmod(cell, self._shape.steps)
        if step or position < self._shape.depth:
            return NEVER
        maps, place = divmod(position - self._shape.depth, self._positions)
        window = maps * self._outputs + self._frees[place]
        return self._released[window] + 1 if window < len(self._released) else None


class ProjectionClock:
    """Times of one projection: its window gathered (or taken as it comes), stored, and issued per block.

    `replays` is how often a window's events are replayed, `levels` are those of the source.

    Attributes
    ----------
    cells
        Cells of a window whose events come straight from the source; 0 where they are gathered.
    """

    def __init__(self, projection: ProjectionShape, replays: int, levels: NDArray[np.integer], time: Time):
        self._shape = window = projection.window
        self.digits = window_digits(levels, window, projection.coding, time)
        self._gather = GatherClock(window, TapTimes.of(levels, window, time)) if window.depth else None
        self.cells = 0
        if self._gather is None:
            self.cells = window.map.positions if window.geometry.outputs == 1 else 1
            self._levels = time.in_cells(levels, window.map)
            self._coding = projection.coding
        else:
            self._backlogs = backlogs(levels, window, projection.coding, time)
        self._replays = replays
        self.last_cell = window.last_cell
        self._index = -1  # the stored window that is being replayed
        self._taken = NEVER  # the lanes, or the next window's turn, took the last flush
        self._loaded = NEVER  # the issuer took the slot that comes next
        self._ends = NEVER  # the block's flush goes no earlier, however early its first digit went
        self._freed: list[int] = []  # per stored window: its bank became free

    def free(self, cell: int) -> int | None:
        """First cycle in which the first beat of a source's cell is accepted; None if not known yet."""
        if self._gather is not None:
            return self._gather.free(cell)
        # Without a line buffer a window is a cell, or all cells of a map.
        window, place = divmod(cell, self.cells)
        return NEVER if place else self._bank_free(window)

    def _bank_free(self, window: int) -> int | None:
        """First cycle in which a window's first event is stored; None if not known yet."""
        if window < BANKS:
            return NEVER
        return self._freed[window - BANKS] + FREE_AFTER if window - BANKS < len(self._freed) else None

    def begin(self, block: int, complete: int, arrivals: Integers | None = None) -> None:
        """A block begins.

        Parameters
        ----------
        block
            Its number among all blocks.
        complete
            Cycle of the mark of the last cell its window needs.
        arrivals
            Cycles of the window's events, where they come straight from the source.
        """
        self._ends = NEVER
        if block % self._replays:
            self._loaded = self._taken
            return
        self._index += 1
        if self._gather is not None:
            free = self._bank_free(self._index)
            assert free is not None  # the window that was in the bank has been replayed
            mark = self._gather.window(complete, free)
            first = self._gather.first
            last_digit = first + self._backlogs[self._index]
        else:
            assert arrivals is not None
            mark = complete
            first, last_digit = self._chase(arrivals) if len(arrivals) else (mark, NEVER)
        if not self.digits[self._index]:
            first = mark
        self._loaded = max(first + EventBuffer.latency, self._taken)
        self._ends = max(mark, last_digit) + EventBuffer.latency + DigitIssuer.latency

    def _chase(self, arrivals: Integers) -> tuple[int, int]:
        """When the first event comes, and when the last digit goes if digits wait for each other only."""
        levels = self._levels[self._index * self.cells : (self._index + 1) * self.cells]
        digits = digit_count(levels[levels > 0].astype(np.int64), self._coding)
        rest = digits[::-1].cumsum()[::-1]
        return int(arrivals[0]), int((arrivals + rest).max())

    def issue(self, block: int, turn: int) -> tuple[int, int]:
        """Issue a block's digits from cycle `turn` on.

        Returns
        -------
        tuple
            The cycle in which the first digit (or the flush) goes, and that in which the flush may.
        """
        start = max(self._loaded + DigitIssuer.latency, turn)
        digits = self.digits[self._index]
        ends = max(start + digits, self._ends) if digits else start
        if (block + 1) % self._replays == 0:
            self._freed.append(ends - 1 if digits else self._loaded)
        return start, ends

    def flushed(self, cycle: int) -> None:
        """The block's flush was taken."""
        self._taken = cycle
