"""The side of an event buffer that takes the events of windows."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from spikefold_hw.parts.digits import encode, has_one_digit
from spikefold_hw.parts.shapes import WeightsShape
from spikefold_hw.streaming.window.slots import Place, StoredEvent, count_bits
from spikefold_hw.streams import Event
from spikefold_hw.typed import Component, view_signal


class EventFill(Component):
    """Writes one event per cycle into the bank that is being filled, in the cycle after it was taken.

    Members
    -------
    i : In(stream(Event))
        Events of windows.
    bank : Out(1)
        The bank that an event goes into.
    full, other_full : In(1)
        It will be in the next cycle; the other one will be.
    stores, place, event : Out
        The memory's write port.
    count : Out
        Events of the bank that `place` names, the one that is being stored included.
    fills : Out(1)
        Strobe: the bank that `place` names is filled.
    """

    bank: Signal
    count: Signal
    event: Any
    fills: Signal
    full: Any
    i: stream.Interface
    other_full: Any
    place: Any
    stores: Signal

    def __init__(self, weights: WeightsShape):
        self._weights = weights
        super().__init__(
            {
                "i": In(stream.Signature(Event(weights.inputs, weights.levels))),
                "bank": Out(1),
                "full": In(1),
                "other_full": In(1),
                "stores": Out(1),
                "place": Out(Place(weights)),
                "event": Out(StoredEvent(weights)),
                "count": Out(count_bits(weights)),
                "fills": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        weights, event = self._weights, self.i.payload
        m = Module()
        stored = Signal.like(self.count)
        kept = view_signal(self.event.shape(), reset_less=True)
        taken = self.i.valid & self.i.ready
        ends = taken & event.end_position
        free = Signal(init=1)  # known a cycle ahead, as what sends to this waits for it
        m.d.comb += [
            self.i.ready.eq(free),
            self.event.eq(kept),
            self.place.row.eq(stored),
            self.count.eq(stored + 1),
        ]
        m.d.sync += [
            self.stores.eq(taken & (event.level != 0)),
            self.fills.eq(ends),
            kept.index.eq(event.index),
            kept.digits.eq(encode(event.level, weights.levels, weights.coding)),
            kept.single.eq(has_one_digit(event.level, weights.levels, weights.coding)),
            self.place.bank.eq(self.bank),
            self.bank.eq(self.bank ^ ends),
            free.eq(~Mux(ends, self.other_full, self.full)),
        ]
        with m.If(self.fills):
            m.d.sync += stored.eq(0)
        with m.Elif(self.stores):
            m.d.sync += stored.eq(self.count)
        return m
