"""The event buffer: keeps a window's events and replays them block by block."""

from amaranth.hdl import Array, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold_hw.parts.memory import Ram
from spikefold_hw.parts.shapes import WeightsShape
from spikefold_hw.streaming.window.event_fill import EventFill
from spikefold_hw.streaming.window.event_replay import EventReplay
from spikefold_hw.streaming.window.slots import BANKS, StoredEvent, count_bits, event_rows
from spikefold_hw.streams import connect
from spikefold_hw.typed import Component

FREE_AFTER = 2
"""Cycles from the handshake of a bank's last flush to that of the first beat of its next window."""


class _Bank:
    """A bank's record, which both sides work on.

    It is `full` from its window's mark until its last slot has left, and `fresh` until that has been fetched.
    `count` are the events of its last window so far; `empty` says that there is none to be fetched.
    """

    def __init__(self, k: int, weights: WeightsShape):
        self.full, self.fresh = Signal(name=f"full{k}"), Signal(name=f"fresh{k}")
        self.count = Signal(count_bits(weights), name=f"count{k}", reset_less=True)
        self.empty = Signal(name=f"empty{k}", init=1)


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
        self._fill, self._replay = EventFill(weights), EventReplay(weights, replays)
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
