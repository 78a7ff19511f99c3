"""The side of a line buffer that takes the cells of a map."""

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from spikefold_hw.streaming.window.records import CellRecord, EventRecord, event_rows, write_port
from spikefold_hw.streaming.window.shape import WindowShape
from spikefold_hw.streams import Event, index_bits
from spikefold_hw.typed import Component


class LineFill(Component):
    """Writes a cell's events one after another, and at its mark the cell's record.

    Members
    -------
    i : In(stream(Event))
        Cells of the map.
    event, record : Out
        Write ports of the events, and of the cells' records.
    written : Out(1)
        Strobe: a cell is complete.
    released : In
        Positions that are given free.
    """

    event: Any
    i: stream.Interface
    record: Any
    released: Signal
    written: Signal

    def __init__(self, window: WindowShape):
        self._shape = window
        super().__init__(
            {
                "i": In(stream.Signature(Event(window.map.channels, window.levels))),
                "event": Out(write_port(event_rows(window), EventRecord(window))),
                "record": Out(write_port(window.cells, CellRecord(window))),
                "written": Out(1),
                "released": In(range(window.map.positions + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        window, event = self._shape, self.i.payload
        cells, channels = window.cells, window.map.channels
        m = Module()
        cell = Signal.like(self.record.addr)
        base = Signal.like(self.event.addr)
        taken = self.i.valid & self.i.ready
        address, within = self._place(m, taken, base)
        m.d.comb += [
            self.i.ready.eq(self._room(m)),
            self.event.en.eq(taken & (event.level != 0)),
            self.event.addr.eq(address),
            self.event.data.index.eq(within),
            self.event.data.level.eq(event.level),
            self.written.eq(taken & event.end_position),
            self.record.en.eq(self.written),
            self.record.addr.eq(cell),
            self.record.data.base.eq(base),
        ]
        last = cell == cells - 1
        with m.If(self.written):
            m.d.sync += [cell.eq(Mux(last, 0, cell + 1)), base.eq(Mux(last, 0, base + channels))]
        return m

    def _room(self, m: Module) -> Value:
        """Whether a position may come in: `room` counts the free ones, and those given free in advance.

        That a position is complete comes late in a cycle, so it is counted in the next one.
        """
        window = self._shape
        room = Signal(range(window.depth + window.map.positions + 2), init=window.depth)
        late = Signal()  # one that `room` still counts as free is not
        complete: Value = self.written
        if window.steps > 1:
            step = Signal(range(window.steps))
            complete = self.written & (step == window.steps - 1)
            with m.If(self.written):
                m.d.sync += step.eq(Mux(complete, 0, step + 1))
        some = Signal(init=1)  # there is room, a cycle ahead: whatever is given free makes some
        left = Mux(complete, Mux(late, room > 2, room > 1), Mux(late, room > 1, room != 0))
        m.d.sync += [
            late.eq(complete),
            room.eq(room + self.released - late),
            some.eq((self.released != 0) | left),
        ]
        return some

    def _place(self, m: Module, taken: Value, base: Signal) -> tuple[Value, Value]:
        """Address of an event, and its index within its group; counts the events of every group."""
        window, event = self._shape, self.i.payload
        # The group of an index below a constant bound, without a division.
        group = sum((event.index >= g * window.channels for g in range(1, window.groups)), Const(0))
        counts = [Signal(window.channels.bit_length(), name=f"count{g}") for g in range(window.groups)]
        for g, count in enumerate(counts):
            # A choice, not a sum: whether an event fires comes late in a cycle.
            more = Mux((event.level != 0) & (group == g), count + 1, count)
            m.d.comb += self.record.data.counts[g].eq(more)
            with m.If(taken):
                m.d.sync += count.eq(Mux(event.end_position, 0, more))
        if window.groups == 1:
            return base + counts[0], event.index
        starts = Array(
            Const(g * window.channels, index_bits(window.map.channels)) for g in range(window.groups)
        )
        return base + starts[group] + Array(counts)[group], event.index - starts[group]
