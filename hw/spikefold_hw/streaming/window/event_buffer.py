"""The event buffer: keeps a window's events and replays them block by block."""

from typing import Any

from amaranth.hdl import Array, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold_hw.parts.digits import PendingDigits, encode, has_one_digit
from spikefold_hw.parts.memory import Ram
from spikefold_hw.parts.shapes import WeightsShape
from spikefold_hw.parts.skid import Skid
from spikefold_hw.streams import Event, connect, index_bits
from spikefold_hw.typed import Component, view_signal

BANKS = 2

FREE_AFTER = 2
"""Cycles from the handshake of a bank's last flush to that of the first beat of its next window."""


class StoredEvent(data.StructLayout):
    """An event as it is kept: its index under the window, its digits, and whether it has no more than one."""

    def __init__(self, weights: WeightsShape):
        digits = PendingDigits(weights.levels, weights.coding)
        super().__init__({"index": index_bits(weights.inputs), "digits": digits, "single": 1})


class Slot(data.StructLayout):
    """A replayed event, or with `flush` the end of a block."""

    def __init__(self, weights: WeightsShape):
        super().__init__({"event": StoredEvent(weights), "flush": 1})


def event_rows(weights: WeightsShape) -> int:
    """Rows of an `EventBuffer`'s memory."""
    return BANKS << index_bits(weights.inputs)


class _Place(data.StructLayout):
    """An address of the memory."""

    def __init__(self, weights: WeightsShape):
        super().__init__({"row": index_bits(weights.inputs), "bank": 1})


class _Bank:
    """A bank's record, which both sides work on.

    It is `full` from its window's mark until its last slot has left, and `fresh` until that has been fetched.
    `count` are the events of its last window so far; `empty` says that there is none to be fetched.
    """

    def __init__(self, k: int, weights: WeightsShape):
        self.full, self.fresh = Signal(name=f"full{k}"), Signal(name=f"fresh{k}")
        self.count = Signal(_count_bits(weights), name=f"count{k}", reset_less=True)
        self.empty = Signal(name=f"empty{k}", init=1)


def _count_bits(weights: WeightsShape) -> int:
    return index_bits(weights.inputs) + 1


class EventBuffer(Component):
    """Two banks of events: one is filled while the other is replayed, once per block.

    The first block does not wait for the window: an event is replayed as soon as it is stored, and the flush
    when the mark is there. Zeros are never stored. A bank is free again when its last flush has left.

    Parameters
    ----------
    weights
        Of the projection: inputs, levels and coding.
    replays
        How often a window is replayed: the blocks of output channels it leads to.
    name
        What the names of its memories begin with.

    Members
    -------
    i : In(stream(Event))
        One window after another, each ended by a mark; at most `inputs` events a window.
    o : Out(stream(Slot))
        Every event of a window and a flush, for every block.
    """

    latency = 4
    """Cycles from the handshake of an event, or a mark, to its slot on the output."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self, weights: WeightsShape, replays: int, name: str = ""):
        self._weights = weights
        self._name = name
        self._fill, self._replay = _Fill(weights), _Replay(weights, replays)
        super().__init__({"i": In(self._fill.i.signature.flip()), "o": Out(self._replay.o.signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.event_memory = memory = Ram(
            StoredEvent(self._weights), event_rows(self._weights), f"{self._name}_event"
        )
        m.submodules.fill, m.submodules.replay = fill, replay = self._fill, self._replay
        connect(m, wiring.flipped(self.i), fill.i)
        connect(m, replay.o, wiring.flipped(self.o))
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.en.eq(fill.stores),
            write.addr.eq(fill.place),
            write.data.eq(fill.event),
            read.en.eq(replay.fetches),
            read.addr.eq(replay.place),
            replay.event.eq(read.data),
        ]
        banks = [_Bank(k, self._weights) for k in range(BANKS)]
        full = [self._full(k, bank) for k, bank in enumerate(banks)]
        for k, bank in enumerate(banks):
            m.d.sync += bank.full.eq(full[k])
            with m.If(fill.stores & (fill.place.bank == k)):
                m.d.sync += [bank.count.eq(fill.count), bank.empty.eq(0)]
            with m.If(fill.fills & (fill.place.bank == k)):
                m.d.sync += bank.fresh.eq(1)
            with m.If(replay.fetched & (replay.emptied == k)):
                m.d.sync += [bank.fresh.eq(0), bank.empty.eq(1)]
        m.d.comb += [
            fill.full.eq(Array(full)[fill.bank]),
            fill.other_full.eq(Array(reversed(full))[fill.bank]),
            replay.grows.eq(fill.stores & (fill.place.bank == replay.place.bank)),
            replay.fresh.eq(Array(bank.fresh for bank in banks)[replay.place.bank]),
            replay.stores.eq(fill.stores),
            replay.empty.eq(Array(bank.empty for bank in banks)[replay.place.bank]),
            replay.other_empty.eq(Array(bank.empty for bank in reversed(banks))[replay.place.bank]),
            replay.count.eq(Array(bank.count for bank in banks)[replay.place.bank]),
        ]
        return m

    def _full(self, k: int, bank: _Bank) -> Value:
        """Whether a bank will be full in the next cycle."""
        fills = self._fill.fills & (self._fill.place.bank == k)
        will: Value = fills | (bank.full & ~(self._replay.left & (self._replay.leaving == k)))
        return will


class _Fill(Component):
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
                "place": Out(_Place(weights)),
                "event": Out(StoredEvent(weights)),
                "count": Out(_count_bits(weights)),
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


class _Replay(Component):
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
                "count": In(_count_bits(weights)),
                "grows": In(1),
                "other_empty": In(1),
                "stores": In(1),
                "fetches": Out(1),
                "place": Out(_Place(weights)),
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
