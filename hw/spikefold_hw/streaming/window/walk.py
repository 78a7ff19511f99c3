"""The order in which a sliding window's taps are visited, and where in a ring of cells they lie."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from spikefold.ir.neuron import Integers
from spikefold_hw.streaming.window.shape import WindowShape
from spikefold_hw.streams import index_bits
from spikefold_hw.typed import Component


class WindowWalk(Component):
    """Issues one tap per `shift`, and between two windows a pause of one `shift` or more.

    Windows come by output row, column, time step and group; taps by row and column. The pause lasts
    until the last cell that the window needs is complete. All that the next window needs is computed
    while the present one is walked.

    Members
    -------
    shift : In(1)
        The tap that is shown is taken.
    written : In(1)
        Strobe: one more cell is complete.
    valid : Out(1)
        A tap is shown; else a pause.
    cell : Out
        Where in the ring its record is.
    inside : Out(1)
        Whether the tap lies on the map.
    offset : Out
        Neurons under the kernel before this tap's.
    group : Out
        Which group's events are wanted.
    last : Out(1)
        The window's last tap.
    released : Out
        Positions that no window needs any more when this tap has been read.
    """

    available_latency = 2
    """Cycles from the strobe of the last cell that a window needs to the first in which it can begin."""

    pace = 3
    """Cycles from the beginning of a window to that of the next, at least."""

    cell: Signal
    group: Signal
    inside: Signal
    last: Signal
    offset: Signal
    released: Signal
    shift: Signal
    valid: Signal
    written: Signal

    def __init__(self, window: WindowShape):
        self._shape = window
        self._geometry = window.geometry
        self._cells = window.cells
        super().__init__(
            {
                "shift": In(1),
                "written": In(1),
                "valid": Out(1),
                "cell": Out(index_bits(self._cells)),
                "inside": Out(1),
                "offset": Out(index_bits(window.inputs)),
                "group": Out(index_bits(window.groups)),
                "last": Out(1),
                "released": Out(range(window.map.positions + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        upcoming = _NextWindow(self._shape)
        # A begin moves the counters; from them `need` is summed in a second cycle, and compared in a third.
        begin = Signal()
        counters_new = Signal()
        may = Signal()  # the next `shift` begins a window; known a cycle ahead, as `shift` comes late
        complete = self._complete(m, begin, upcoming)
        pauses = ~begin & (~self.valid | (self.shift & self.last))
        m.d.comb += begin.eq(self.shift & may)
        m.d.sync += [counters_new.eq(begin), may.eq(complete & pauses & ~counters_new)]
        upcoming.count(m, begin)
        self._locate(m, begin, upcoming)
        self._visit(m, begin, upcoming)
        return m

    def _after(self, pointer: Value, distance: int) -> Value:
        """The ring cell `distance` further on."""
        distance %= self._cells
        if distance == 0:
            return pointer
        bits = len(self.cell)
        # Two sums beside the comparison are faster than one behind it.
        wrapped = pointer >= self._cells - distance
        beyond = pointer + (distance - self._cells) % (1 << bits)
        return Mux(wrapped, beyond[:bits], (pointer + distance)[:bits])

    def _locate(self, m: Module, begin: Signal, upcoming: "_NextWindow") -> None:
        """Where the next window starts: `origin` is its position's first step, `left` its row's."""
        window, geometry, start = self._shape, self._geometry, upcoming.start
        down, across = window.stride[0] * window.map.width * window.steps, window.stride[1] * window.steps
        to_next_map = window.map.positions * window.steps - (geometry.height - 1) * down
        origin, left = Signal.like(start, name="origin"), Signal.like(start, name="left")
        below, right = Signal.like(start, name="below"), Signal.like(start, name="right")
        later = Signal.like(start, name="later")
        # Registered, as windows begin `pace` cycles apart at least.
        m.d.sync += [
            below.eq(Mux(upcoming.last_row, self._after(left, to_next_map), self._after(left, down))),
            right.eq(self._after(origin, across)),
            later.eq(self._after(start, 1)),
        ]
        with m.If(begin & upcoming.ends_row):
            m.d.sync += [left.eq(below), origin.eq(below), start.eq(below)]
        with m.Elif(begin & upcoming.ends_position):
            m.d.sync += [origin.eq(right), start.eq(right)]
        with m.Elif(begin & upcoming.ends_step):
            m.d.sync += start.eq(later)

    def _complete(self, m: Module, begin: Signal, upcoming: "_NextWindow") -> Value:
        """Whether the next window's last cell is complete, once `need` is that window's.

        `front` counts complete cells from the start of that window's map, `need` is the one it waits for.
        """
        window, geometry = self._shape, self._geometry
        cells = window.map.positions * window.steps
        bits = (2 * (cells + self._cells)).bit_length() + 1
        rows = (geometry.rows()[1] - 1) * window.map.width * window.steps
        columns = (geometry.columns()[1] - 1) * window.steps
        down = Signal(range(cells), init=int(rows[0]))
        across = Signal(range(cells), init=int(columns[0]))
        front = Signal(signed(bits))
        need = Signal(signed(bits), init=int(rows[0] + columns[0]))
        ends_map = Signal()  # a cycle late, which is in time for `need`
        m.d.sync += [
            ends_map.eq(begin & upcoming.ends_row & upcoming.last_row),
            need.eq(down + across + upcoming.step),
            front.eq(front + self.written - Mux(ends_map, cells, 0)),
        ]
        with m.If(begin & upcoming.ends_position):
            moved = across + _choose(upcoming.column, np.diff(columns))
            m.d.sync += across.eq(Mux(upcoming.ends_row, int(columns[0]), moved))
        with m.If(begin & upcoming.ends_row):
            moved = down + _choose(upcoming.row, np.diff(rows))
            m.d.sync += down.eq(Mux(upcoming.last_row, int(rows[0]), moved))
        return (need - front)[bits - 1]  # faster than a comparison

    def _visit(self, m: Module, begin: Signal, upcoming: "_NextWindow") -> None:
        """Walk the taps of the present window."""
        window = self._shape
        kernel_rows, kernel_columns = window.kernel
        row = Signal(range(kernel_rows))
        column = Signal(range(kernel_columns))
        first, freed = Signal.like(self.cell, name="first"), Signal.like(self.released, name="freed")
        below, row_ends = Signal.like(self.cell, name="below_tap"), column == kernel_columns - 1
        m.d.comb += [
            self.last.eq(row_ends & (row == kernel_rows - 1)),
            self.released.eq(Mux(self.last, freed, 0)),
            self.inside.eq(self._is_inside(m, begin, upcoming, row_ends)),
        ]
        # Registered where a row of taps takes more than a cycle.
        domain = m.d.sync if kernel_columns > 1 else m.d.comb
        domain += below.eq(self._after(first, window.map.width * window.steps))
        with m.If(begin):
            m.d.sync += [
                self.valid.eq(1),
                self.cell.eq(upcoming.start),
                first.eq(upcoming.start),
                self.group.eq(upcoming.group),
                freed.eq(upcoming.freed),
            ]
        with m.Elif(self.shift & self.valid):
            m.d.sync += [
                self.valid.eq(~self.last),
                self.offset.eq(Mux(self.last, 0, self.offset + window.channels)),
                column.eq(Mux(row_ends, 0, column + 1)),
                self.cell.eq(Mux(row_ends, below, self._after(self.cell, window.steps))),
            ]
            with m.If(row_ends):
                m.d.sync += [row.eq(Mux(self.last, 0, row + 1)), first.eq(below)]

    def _is_inside(self, m: Module, begin: Signal, upcoming: "_NextWindow", row_ends: Value) -> Value:
        """Whether the present tap lies on the map, from its coordinates."""
        window = self._shape
        (top, left), (down, across) = window.padding, window.stride
        if not (top or left):
            return Const(1)
        height, width = window.map.height, window.map.width
        next_y, next_x = _coordinate(height, top, "next_y"), _coordinate(width, left, "next_x")
        y, x, edge = (
            _coordinate(height, top, "y"),
            _coordinate(width, left, "x"),
            _coordinate(width, left, "edge"),
        )
        with m.If(begin):
            m.d.sync += [y.eq(next_y), x.eq(next_x), edge.eq(next_x)]
            with m.If(upcoming.ends_position):
                m.d.sync += next_x.eq(Mux(upcoming.ends_row, -left, next_x + across))
            with m.If(upcoming.ends_row):
                m.d.sync += next_y.eq(Mux(upcoming.last_row, -top, next_y + down))
        with m.Elif(self.shift & self.valid):
            m.d.sync += x.eq(Mux(row_ends, edge, x + 1))
            with m.If(row_ends):
                m.d.sync += y.eq(y + 1)
        return (y >= 0) & (y < height) & (x >= 0) & (x < width)


class _NextWindow:
    """The window that is walked next: its counters, and which of them it is the last of.

    Attributes: `start`, ring cell of its first tap (which may lie before the map); `freed`, positions
    that it is the last to need.
    """

    def __init__(self, window: WindowShape):
        self._geometry = geometry = window.geometry
        cells = window.cells
        rows, columns = window.padding
        first = -(rows * window.map.width + columns) * window.steps % cells
        self.start = Signal(index_bits(cells), init=first, name="start")
        self.group = Signal(range(window.groups))
        self.step = Signal(range(window.steps))
        self.column = Signal(range(geometry.width))
        self.row = Signal(range(geometry.height))
        self.ends_step = self.group == window.groups - 1
        self.ends_position = self.ends_step & (self.step == window.steps - 1)
        self.ends_row = self.ends_position & (self.column == geometry.width - 1)
        self.last_row = self.row == geometry.height - 1
        self.freed = Mux(self.ends_position, self._freed(), 0)

    def count(self, m: Module, begin: Value) -> None:
        """Move on to the window after it."""
        turns = (
            (self.group, begin, self.ends_step),
            (self.step, begin & self.ends_step, self.ends_position),
            (self.column, begin & self.ends_position, self.ends_row),
            (self.row, begin & self.ends_row, self.last_row),
        )
        for counter, moves, ends in turns:
            with m.If(moves):
                m.d.sync += counter.eq(Mux(ends, 0, counter + 1))

    def _freed(self) -> Value:
        geometry = self._geometry
        released = np.diff(geometry.released, prepend=0).reshape(geometry.height, geometry.width)
        inner, ends = released[:, :-1], released[:, -1]
        # Rows that the next row of outputs starts at too are kept whole.
        moving = np.asarray(inner.any(axis=1))
        pattern = inner[moving.argmax()] if moving.any() else np.zeros(geometry.width - 1, np.int64)
        within = Mux(_choose(self.row, moving.tolist()), _choose(self.column, pattern), 0)
        return Mux(self.column == geometry.width - 1, _choose(self.row, ends), within)


def _coordinate(size: int, padding: int, name: str) -> Signal:
    return Signal(range(-padding - 1, size + 2 * padding + 2), init=-padding, name=name)


def _choose(counter: Signal, values: Sequence[int] | Integers) -> Value | int:
    """`values[counter]` where most are equal: one value, and exceptions by comparison."""
    values = [int(value) for value in values]
    if not values:
        return 0
    ((usual, _),) = Counter(values).most_common(1)
    chosen: Value | int = usual
    for place, value in enumerate(values):
        if value != usual:
            chosen = Mux(counter == place, value, chosen)
    return chosen
