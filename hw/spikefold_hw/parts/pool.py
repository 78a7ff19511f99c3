"""Pooling: the sum or the largest of the levels under a window, channel by channel."""

from amaranth.hdl import Array, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from spikefold.ir.neuron import Integers
from spikefold_hw.parts.cell_scan import CellScan
from spikefold_hw.parts.pool_bank import PoolBank
from spikefold_hw.parts.shapes import PoolShape
from spikefold_hw.streams import Event, index_bits
from spikefold_hw.typed import Component, View, view_signal


class PoolUnit(Component):
    """Two banks of running values: one takes a window's events while the other is scanned.

    An event costs one cycle, a window's scan one cycle per channel. The scan clears what it reads, so
    every window starts from zeros; after a reset it goes over both banks before anything else.

    Parameters
    ----------
    shape
        The pool.
    name
        What the names of its memories begin with.

    Members
    -------
    i : In(stream(Event))
        One window after another, each ended by a mark; its events in any order, and several of a channel.
    o : Out(stream(Event))
        The channels with a level above 0, ascending, and a mark at the last channel's turn.
    cleared : Out(1)
        Both banks are clear after a reset: `2 * channels + 2` cycles. Windows that come earlier are pooled
        as well, but wait longer than `PoolClock` says.
    """

    i: stream.Interface
    o: stream.Interface
    cleared: Signal

    latency = 6
    """Cycles from a window's mark to its first channel on the output."""

    scan_latency = 3
    """Cycles from reading a channel to its event on the output."""

    def __init__(self, shape: PoolShape, name: str = ""):
        self._shape = shape
        self._name = name
        self._channels = shape.map.channels
        self._scan = CellScan(shape.map, shape.time)
        super().__init__(
            {
                "i": In(stream.Signature(Event(self._channels, shape.source_levels))),
                "o": Out(stream.Signature(Event(self._channels, shape.levels))),
                "cleared": Out(1),
            }
        )

    def model(self, windows: Integers) -> Integers:
        """Levels that leave, (windows, channels), for windows of shape (windows, positions, channels)."""
        pooled: Integers = windows.sum(axis=1) if self._shape.pooling == "sum" else windows.max(axis=1)
        return pooled

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self._shape.levels.bit_length()
        banks = [PoolBank(self._channels, bits, f"{self._name}_bank{k}") for k in range(2)]
        for k, bank in enumerate(banks):
            m.submodules[f"bank{k}"] = bank
        self._accumulate(m, banks)
        self._send(m, banks)
        return m

    def _accumulate(self, m: Module, banks: list[PoolBank]) -> None:
        """Take events, in the banks in turn: read, register, update."""
        event = self.i.payload
        bank = Signal()
        taken = self.i.valid & self.i.ready
        m.d.comb += self.i.ready.eq(~Array(bank.full for bank in banks)[bank])
        with m.If(taken & event.end_position):
            m.d.sync += bank.eq(~bank)
        updating, pooled = self._update(m, banks, bank, taken)
        for k, own in enumerate(banks):
            updates = updating.valid & (updating.place.bank == k)
            m.d.comb += [
                own.event.eq(event.index),
                own.mark.eq(taken & event.end_position & (bank == k)),
                own.complete.eq(updates & updating.mark),
                own.update.eq(updates),
                own.update_channel.eq(updating.place.channel),
                own.update_value.eq(pooled),
            ]

    def _update(self, m: Module, banks: list[PoolBank], bank: Value, taken: Value) -> tuple[View, Value]:
        """An event two cycles after it was taken into a bank, and the value that its channel then gets.

        What the two events before it have changed was not yet in the memory when it was read.
        """
        event = self.i.payload
        # The event behind, the present one, and the one before it.
        reading, updating, written = (
            view_signal(self._stage, name=name) for name in ("reading", "updating", "written")
        )
        m.d.sync += [
            reading.place.channel.eq(event.index),
            reading.place.bank.eq(bank),
            reading.level.eq(event.level),
            reading.mark.eq(event.end_position),
            reading.valid.eq(taken),
            updating.eq(reading),
            written.eq(updating),
        ]
        near = updating.valid & (reading.place == updating.place)
        far = written.valid & (reading.place == written.place)
        choice = Signal(2)
        m.d.sync += choice.eq(Mux(near, 2, Mux(far, 3, reading.place.bank)))
        pooled = Signal.like(banks[0].value, name="pooled")
        newest, older = (Signal.like(pooled, name=n, reset_less=True) for n in ("newest", "older"))
        before = Array([banks[0].value, banks[1].value, newest, older])[choice]
        m.d.comb += pooled.eq(self._pooled(before, updating.level))
        m.d.sync += [newest.eq(pooled), older.eq(newest)]
        return updating, pooled

    @property
    def _stage(self) -> data.StructLayout:
        """An event on its way into a bank."""
        place = data.StructLayout({"channel": index_bits(self._channels), "bank": 1})
        level = self._shape.source_levels.bit_length()
        return data.StructLayout({"place": place, "level": level, "mark": 1, "valid": 1})

    def _pooled(self, before: Value, level: Value) -> Value:
        return before + level if self._shape.pooling == "sum" else Mux(level > before, level, before)

    def _send(self, m: Module, banks: list[PoolBank]) -> None:
        """Send the values of the banks in turn, and clear behind the reading."""
        scan = self._scan
        bank = Signal()
        swept = Signal()
        read_last = scan.next & scan.last
        with m.If(read_last):
            m.d.sync += [bank.eq(~bank), swept.eq(swept | bank)]
        p = scan.open(m, self.o, Array(bank.fresh for bank in banks)[bank], ~swept, bank=bank)
        for k, own in enumerate(banks):
            m.d.comb += [
                own.read_last.eq(read_last & (bank == k)),
                own.advance.eq(scan.advance),
                own.channel.eq(scan.channel),
                own.wipe.eq(p.valid & (p.bank == k)),
                own.wipe_channel.eq(p.channel),
            ]
        p.stage()
        for k, own in enumerate(banks):
            m.d.comb += own.moved_on.eq(p.valid & scan.advance & p.last & (p.bank == k))
        with m.If(banks[1].moved_on):
            m.d.sync += self.cleared.eq(1)
        scan.send(m, p, self.o, Mux(p.bank, banks[1].value, banks[0].value))
