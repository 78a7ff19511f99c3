"""Cycle model of a window: when its taps are gathered, its events stored and its digits issued."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from spikefold.ir.coding import Coding, digit_count
from spikefold.ir.neuron import Integers
from spikefold.ir.profile import LayerProfile, Order, ScanProfile, WindowProfile
from spikefold_hw.event_buffer import EventBuffer
from spikefold_hw.moves import NEVER, Moves


def by_cell(levels: NDArray[np.integer], scan: ScanProfile) -> NDArray[np.integer]:
    """Levels (samples, steps, *shape) as (samples, steps, groups, channels of a group, rows, columns)."""
    shape = (scan.groups, scan.channels, scan.map.height, scan.map.width)
    return levels.reshape(*levels.shape[:2], *shape)


def _windows(values: Integers, scan: ScanProfile, outside: int) -> Integers:
    """Values (.., rows, columns) under the kernel at every output position, (.., rows, columns, taps)."""
    rows, columns = scan.padding
    pads = [(0, 0)] * (values.ndim - 2) + [(rows, rows), (columns, columns)]
    padded = np.pad(values, pads, constant_values=outside)
    view = sliding_window_view(padded, scan.kernel, axis=(-2, -1))
    view = view[..., :: scan.stride[0], :: scan.stride[1], :, :]
    return view.reshape(*view.shape[:-2], -1)


def in_stream_order(values: Integers, order: Order) -> list[int]:
    """Values (samples, steps, groups, rows, columns) in the order of the windows."""
    axes = (0, 3, 4, 1, 2) if order == "innermost" else (0, 1, 3, 4, 2)
    return values.transpose(axes).ravel().tolist()


def window_digits(levels: NDArray[np.integer], scan: ScanProfile, coding: Coding, order: Order) -> list[int]:
    """Digits of every window, in the order of the windows."""
    counts = digit_count(by_cell(levels, scan).astype(np.int64), coding).sum(axis=3)
    return in_stream_order(_windows(counts, scan, 0).sum(axis=-1), order)


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
    def of(cls, levels: NDArray[np.integer], scan: ScanProfile, order: Order) -> "TapTimes":
        """Times for levels (samples, presented steps, *shape)."""
        events = _windows((by_cell(levels, scan) > 0).sum(axis=3), scan, 0)
        times = np.maximum(events, 1)
        some = events.any(axis=-1)
        lead = np.where(some, (events > 0).argmax(axis=-1), events.shape[-1] - 1)
        before = times[..., -2] if times.shape[-1] > 1 else np.zeros_like(lead)
        parts = (times.sum(axis=-1), times[..., -1], before, lead)
        return cls(*(in_stream_order(part, order) for part in parts))


class GatherClock:
    """Times of a `LineBuffer`, window by window."""

    _TO_TAP = 4  # moves from the setup of a window to its first tap's events
    _TO_OUTPUT = 3  # moves from handing out an event to its handshake
    _SETTLING = 3  # cycles from one window's setup to the next

    def __init__(self, scan: ScanProfile, times: TapTimes):
        self._scan = scan
        self._times = times
        self._taps = scan.kernel[0] * scan.kernel[1]
        self._moves = Moves()
        self._setups = (NEVER, NEVER, NEVER)  # the next moves with which a window could be set up
        self._began = NEVER  # the cycle in which the last window was
        self._window = 0
        self._released: list[int] = []  # per output position: cycle in which it gave room
        outputs, positions = scan.window.outputs, scan.map.positions
        self._outputs, self._positions = outputs, positions
        # Which output gives a position's room to the position `depth` later.
        self._frees = np.searchsorted(scan.window.released, np.arange(positions), side="right").tolist()

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
        # Two cycles after the mark it is known that the window is complete.
        setup, first = self._set_up(max(complete + 2, self._began + self._SETTLING))
        self._began = moves.at(setup)
        moves.hold(first + times.lead[k] + self._TO_OUTPUT, free)
        # A window can be set up in the moves that end the last three of the pauses and taps so far.
        ends = first + times.total[k] - 1
        second = ends - times.last[k]
        self._setups = (second - (times.before_last[k] if self._taps > 1 else 1), second, ends)
        if (k + 1) % (self._scan.groups * self._scan.steps) == 0:
            self._released.append(moves.at(ends))
        self._window += 1
        return moves.at(ends + self._TO_OUTPUT)

    def _set_up(self, ready: int) -> tuple[int, int]:
        """The moves of the window's setup and of its first tap."""
        early, later, ends = self._setups
        if ready <= self._moves.at(early):
            return early, ends + 2
        if ready <= self._moves.at(later):
            return later, ends + 3
        setup = max(ends, self._moves.first(ready))
        return setup, setup + self._TO_TAP

    def free(self, cell: int) -> int | None:
        """First cycle in which the first beat of a source's cell is accepted; None if not known yet."""
        position, step = divmod(cell, self._scan.steps)
        if step or position < self._scan.depth:
            return NEVER
        maps, place = divmod(position - self._scan.depth, self._positions)
        window = maps * self._outputs + self._frees[place]
        return self._released[window] + 1 if window < len(self._released) else None


class WindowClock:
    """Times of one window of a layer: gathered (or taken as it comes), stored, and issued per block."""

    def __init__(self, layer: LayerProfile, window: WindowProfile, levels: NDArray[np.integer], order: Order):
        self.profile = window
        self.scan = scan = window.scan
        self.digits = window_digits(levels, scan, window.coding, order)
        self._gather = GatherClock(scan, TapTimes.of(levels, scan, order)) if scan.depth else None
        self._needed = np.asarray(scan.window.needed).tolist()
        self._outputs = scan.window.outputs
        self._replays = layer.replays(window)
        self._index = -1  # the stored window that is being replayed
        self._taken = NEVER  # the lanes, or the next window's turn, took the last flush
        self._loaded = NEVER  # the issuer took the slot that comes next
        self._freed: list[int] = []  # per stored window: its bank became free

    def last_cell(self, cell: int) -> int:
        """The source's cell that completes the window of the layer's `cell`-th current."""
        scan = self.scan
        place, step = divmod(cell, scan.steps)
        maps, output = divmod(place, self._outputs)
        return (maps * scan.map.positions + self._needed[output]) * scan.steps + step

    def free(self, cell: int) -> int | None:
        """First cycle in which the first beat of a source's cell is accepted; None if not known yet."""
        if self._gather is not None:
            return self._gather.free(cell)
        # Without a line buffer a window is a cell, or all cells of a map.
        window, place = divmod(cell, self.scan.map.positions if self.scan.window.outputs == 1 else 1)
        if place or window < 2:
            return NEVER
        return self._freed[window - 2] + 1 if window - 2 < len(self._freed) else None

    def begin(self, block: int, complete: int) -> None:
        """A block begins; `complete` is the mark of the last cell its window needs."""
        if block % self._replays:
            self._loaded = self._taken
            return
        self._index += 1
        mark = complete
        if self._gather is not None:
            free = self._freed[self._index - 2] + 1 if self._index >= 2 else NEVER
            mark = self._gather.window(complete, free)
        self._loaded = max(mark + EventBuffer.latency, self._taken)

    def issue(self, block: int, turn: int) -> tuple[int, int]:
        """Issue a block's digits from cycle `turn` on.

        Returns
        -------
        tuple
            The cycle in which the first digit (or the flush) goes, and that in which the flush may.
        """
        start = max(self._loaded + 1, turn)
        digits = self.digits[self._index]
        if (block + 1) % self._replays == 0:
            self._freed.append(start + digits - 1 if digits else self._loaded)
        return start, start + digits

    def flushed(self, cycle: int) -> None:
        """The block's flush was taken."""
        self._taken = cycle
