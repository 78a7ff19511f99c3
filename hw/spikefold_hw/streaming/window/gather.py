"""The side of a line buffer that sends windows."""

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold_hw.parts.pipeline import Pipeline
from spikefold_hw.parts.skid import Skid
from spikefold_hw.streaming.window.records import CellRecord, EventRecord, event_rows, read_port
from spikefold_hw.streaming.window.shape import WindowShape
from spikefold_hw.streaming.window.walk import WindowWalk
from spikefold_hw.streams import Event, connect, index_bits
from spikefold_hw.typed import Component, View, view_signal


class _Tap(data.StructLayout):
    """A tap on its way, as `WindowWalk` shows it, but for the cell that it reads."""

    def __init__(self, window: WindowShape):
        super().__init__(
            {
                "valid": 1,
                "inside": 1,
                "last": 1,
                "group": index_bits(window.groups),
                "offset": index_bits(window.inputs),
                "released": range(window.map.positions + 1),
            }
        )


class LineGather(Component):
    """Walks the windows tap by tap, and each tap's events one per cycle.

    Three stages fetch a tap's record, one hands out its events, three fetch them. All stand still from the
    cycle after an event's first on the output until it is taken; the first three also while a tap's
    events are handed out. A tap
    without events costs a cycle, and so does the setup of a window.

    Parameters
    ----------
    window, taps
        As those of a `LineBuffer`.

    Members
    -------
    o : Out(stream(Event))
        Windows, ended by `end_position`; the other flags are 0.
    event, record : Out
        Read ports of the events, and of the cells' records.
    written : In(1)
        Strobe: one more cell is complete.
    released : Out
        Positions that no window needs any more.
    """

    tap_latency = 4
    """Moves from the beginning of a window to its first tap being handed out."""

    event_latency = 3
    """Moves from an event being handed out to its handshake."""

    event: Any
    o: stream.Interface
    record: Any
    released: Signal
    written: Signal

    def __init__(self, window: WindowShape, taps: bool):
        self._shape = window
        self._taps = taps
        super().__init__(
            {
                "o": Out(
                    stream.Signature(Event(window.inputs if taps else window.map.channels, window.levels))
                ),
                "event": Out(read_port(event_rows(window), EventRecord(window))),
                "record": Out(read_port(window.cells, CellRecord(window))),
                "written": In(1),
                "released": Out(range(window.map.positions + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.walk = walk = WindowWalk(self._shape)
        m.submodules.skid = skid = Skid(stream.Signature(self.o.payload.shape()))
        connect(m, skid.o, wiring.flipped(self.o))
        shift = Signal()
        m.d.comb += [
            walk.written.eq(self.written),
            walk.shift.eq(shift),
            self.record.en.eq(shift),
            self.record.addr.eq(walk.cell),
        ]
        tap, record = self._fetch(m, walk, shift)
        self._hand_out(m, tap, record, skid.i, shift)
        return m

    def _fetch(self, m: Module, walk: WindowWalk, shift: Signal) -> tuple[View, View]:
        """Two stages: the memory's output, and a plain register, since block RAM is slow to answer.

        Returns a tap, and the record of the cell it reads.
        """
        fetched, tap = (
            view_signal(_Tap(self._shape), name="fetched"),
            view_signal(_Tap(self._shape), name="tap"),
        )
        # Not reset, so that synthesis may use the register inside the block RAM.
        record = view_signal(CellRecord(self._shape), reset_less=True)
        with m.If(shift):
            m.d.sync += [fetched[name].eq(getattr(walk, name)) for name in _Tap(self._shape).members]
            m.d.sync += [tap.eq(fetched), record.eq(self.record.data)]
        return tap, record

    def _hand_out(self, m: Module, tap: View, record: View, o: stream.Interface, shift: Signal) -> None:
        """One stage that counts a tap's events, two for the memory's output, one for the event."""
        window, advance = self._shape, o.ready
        valid = Signal()
        last = Signal()
        ends = Signal()
        some = Signal()
        more = Signal(window.channels.bit_length())
        address = Signal.like(self.event.addr)
        offset = Signal.like(tap.offset)
        released = Signal.like(tap.released)
        starts = Array(
            Const(g * window.channels, index_bits(window.map.channels)) for g in range(window.groups)
        )
        count = Signal.like(more, name="tap_count")
        m.d.comb += [
            count.eq(Mux(tap.inside, Array(record.counts[g] for g in range(window.groups))[tap.group], 0)),
            shift.eq(advance & (~valid | ends)),
            self.event.en.eq(advance),
            self.event.addr.eq(address),
            self.released.eq(Mux(valid & ends & advance, released, 0)),
        ]
        with m.If(shift):
            m.d.sync += [
                valid.eq(tap.valid),
                last.eq(tap.last),
                some.eq(count != 0),
                ends.eq(~count[1:].any()),
                more.eq(count - 1),
                address.eq(record.base + starts[tap.group]),
                offset.eq(tap.offset),
                released.eq(tap.released),
            ]
        with m.Elif(advance):
            m.d.sync += [more.eq(more - 1), ends.eq(more == 1), address.eq(address + 1)]
        self._send(m, o, valid & (some | last), some, valid & last & ends, offset)

    def _send(
        self, m: Module, o: stream.Interface, sent: Value, some: Value, mark: Value, offset: Signal
    ) -> None:
        p = Pipeline(m, o.ready, sent)
        p.stage(event=some, mark=mark, offset=offset)
        # A plain register behind the memory, which synthesis can use the memory's own for.
        p.stage(entry=Value.cast(self.event.data))
        entry = data.View(EventRecord(self._shape), p.entry)
        p.stage(
            index=((p.offset if self._taps else 0) + entry.index)[: len(o.payload.index)],
            level=Mux(p.event, entry.level, 0),
        )
        m.d.comb += [
            o.valid.eq(p.valid),
            o.payload.index.eq(p.index),
            o.payload.level.eq(p.level),
            o.payload.end_position.eq(p.mark),
        ]
