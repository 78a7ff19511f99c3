"""The side of an event buffer that replays windows, once per block."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from spikefold_hw.parts.shapes import WeightsShape
from spikefold_hw.parts.skid import Skid
from spikefold_hw.streaming.window.slots import Place, Slot, StoredEvent, count_bits
from spikefold_hw.typed import Component, view_signal


class EventReplay(Component):
    """Reads slots: the memory's output is one stage, the slot a second, since block RAM is slow.

    Members
    -------
    fresh, empty, count : In
        Of the bank that `place` names.
    other_empty : In(1)
        The other bank's `empty`.
    stores, grows : In(1)
        Strobes: an event is stored, in the bank that `place` names.
    fetches, place, event
        The memory's read port.
    fetched, emptied : Out(1)
        Strobe: the last slot of the bank `emptied` has been fetched.
    left, leaving : Out(1)
        Strobe: the last slot of the bank `leaving` left in the cycle before.
    o : Out(stream(Slot))
        Every event of a window and a flush, for every block.
    """

    count: Signal
    emptied: Signal
    empty: Signal
    event: Any
    fetched: Any
    fetches: Signal
    fresh: Any
    grows: Signal
    other_empty: Any
    stores: Signal
    leaving: Signal
    left: Any
    o: stream.Interface
    place: Any

    def __init__(self, weights: WeightsShape, replays: int):
        self._weights = weights
        self._replays = replays
        super().__init__(
            {
                "fresh": In(1),
                "empty": In(1),
                "count": In(count_bits(weights)),
                "grows": In(1),
                "other_empty": In(1),
                "stores": In(1),
                "fetches": Out(1),
                "place": Out(Place(weights)),
                "event": In(StoredEvent(weights)),
                "fetched": Out(1),
                "emptied": Out(1),
                "left": Out(1),
                "leaving": Out(1),
                "o": Out(stream.Signature(Slot(weights))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layout = Slot(self._weights)
        m.submodules.skid = skid = Skid(stream.Signature(data.StructLayout({"slot": layout, "leaves": 1})))
        # Not reset, so that synthesis may use the register inside the block RAM.
        slot = view_signal(layout, reset_less=True)
        valid = Signal()
        move = Signal()
        flush = Signal(reset_less=True)
        final = Signal()
        leaves = Signal()
        last = Signal()  # what is being fetched is the bank's last slot
        ends = self._walk(m, last)
        m.d.comb += [
            move.eq(skid.i.ready | ~skid.i.valid),
            # An event that is there, or, once the window is complete, the flush.
            self.fetches.eq((self.fresh | ~ends) & (move | ~valid)),
            skid.i.payload.slot.eq(slot),
            skid.i.payload.leaves.eq(leaves),
            self.o.payload.eq(skid.o.payload.slot),
            self.o.valid.eq(skid.o.valid),
            skid.o.ready.eq(self.o.ready),
        ]
        # A cycle late, as `ready` comes late in a cycle.
        m.d.sync += self.left.eq(self.o.valid & self.o.ready & skid.o.payload.leaves)
        with m.If(self.fetches):
            m.d.sync += [flush.eq(ends), final.eq(last)]
        # A cycle late, which is in time: the other bank comes first.
        m.d.sync += [self.fetched.eq(self.fetches & last), self.emptied.eq(self.place.bank)]
        with m.If(self.fetches | move):
            m.d.sync += valid.eq(self.fetches)
        with m.If(move):
            m.d.sync += [
                skid.i.valid.eq(valid),
                slot.event.eq(self.event),
                slot.flush.eq(flush),
                leaves.eq(final),
            ]
        with m.If(self.left):
            m.d.sync += self.leaving.eq(~self.leaving)
        return m

    def _walk(self, m: Module, final: Signal) -> Value:
        """Go on with every fetch; returns whether no event of the block is left to be fetched."""
        row = Signal.like(self.place.row)
        following = Signal.like(self.count, init=1)
        # Whether there is an event at a row is known one fetch ahead, out of the way of `ready`.
        ends = Signal(init=1)
        bank = Signal()
        replay = Signal(range(self._replays))
        last = replay == self._replays - 1
        m.d.comb += [
            self.place.row.eq(row),
            self.place.bank.eq(bank),
            final.eq(ends & last),
        ]
        with m.If(self.fetches):
            m.d.sync += [
                row.eq(Mux(ends, 0, following)),
                following.eq(Mux(ends, 1, following + 1)),
            ]
        # The bank after this one may be the one whose end is just being told, and may be filled right now.
        following_empty = (self.other_empty | self.fetched) & ~self.stores
        ended = Mux(last, following_empty, self.empty)
        none = Mux(ends, ended, ~self.grows & (following == self.count))
        m.d.sync += ends.eq(Mux(self.fetches, none, ends & ~self.grows))
        with m.If(self.fetches & ends):
            m.d.sync += replay.eq(Mux(last, 0, replay + 1))
        with m.If(self.fetches & final):
            m.d.sync += bank.eq(~bank)
        return ends
