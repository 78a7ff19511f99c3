"""Pooling: the sum or the largest of the levels under a window, channel by channel."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.neuron import Integers
from spikefold_hw.parts.cell_scan import CellScan
from spikefold_hw.parts.memory import Ram
from spikefold_hw.parts.shapes import PoolShape
from spikefold_hw.streams import Event, index_bits


class _Bank:
    """A memory of running values with its output register, and who works on it.

    It is `full` from a window's mark until its last value has moved on; `scanned`, the scan's, from when
    the window's last event has been written; and until its last channel has been read, `fresh`. A reset
    leaves it so, and the scan clears it.
    """

    def __init__(self, m: Module, name: str, bits: int, channels: int, owner: str):
        m.submodules[name] = memory = Ram(bits, channels, f"{owner}_{name}")
        self.read, self.write = memory.read_port(), memory.write_port()
        self.full = Signal(init=1, name=f"{name}_full")
        self.scanned = Signal(init=1, name=f"{name}_scanned")
        self.fresh = Signal(init=1, name=f"{name}_fresh")
        # Not reset, so that synthesis may use the register inside the block RAM.
        self.value = Signal(bits, name=f"{name}_value", reset_less=True)


class PoolUnit(wiring.Component):
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
        return windows.sum(axis=1) if self._shape.pooling == "sum" else windows.max(axis=1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self._shape.levels.bit_length()
        banks = [_Bank(m, f"bank{k}", bits, self._channels, self._name) for k in range(2)]
        update, place, pooled = self._accumulate(m, banks)
        wipe, wiped = self._send(m, banks)
        for k, bank in enumerate(banks):
            m.d.comb += [
                bank.read.addr.eq(Mux(bank.scanned, self._scan.channel, self.i.payload.index)),
                bank.read.en.eq(~bank.scanned | self._scan.advance),
                bank.write.addr.eq(Mux(bank.scanned, wiped, place)[:-1]),
                bank.write.data.eq(Mux(bank.scanned, 0, pooled)),
                bank.write.en.eq(Mux(bank.scanned, wipe & (wiped[-1] == k), update & (place[-1] == k))),
            ]
            with m.If(bank.read.en):
                m.d.sync += bank.value.eq(bank.read.data)
        return m

    def _accumulate(self, m: Module, banks: list[_Bank]) -> tuple[Value, Value, Value]:
        """Read, register, update; returns a strobe, the place (channel, bank) and the value it gets."""
        event = self.i.payload
        bank = Signal()
        full = Array(bank.full for bank in banks)
        taken = self.i.valid & self.i.ready
        m.d.comb += self.i.ready.eq(~full[bank])
        with m.If(taken & event.end_position):
            m.d.sync += [bank.eq(~bank), full[bank].eq(1)]
        stage = data.StructLayout(
            {"place": index_bits(self._channels) + 1, "level": len(event.level), "mark": 1, "valid": 1}
        )
        reading, updating, written = (Signal(stage, name=n) for n in ("reading", "updating", "written"))
        m.d.sync += [
            reading.eq(Cat(event.index, bank, event.level, event.end_position, taken)),
            updating.eq(reading),
            written.eq(updating),
        ]
        pooled = self._update(m, banks, reading, updating, written)
        for k, complete in enumerate(banks):
            with m.If(updating.valid & updating.mark & (updating.place[-1] == k)):
                m.d.sync += [complete.scanned.eq(1), complete.fresh.eq(1)]
        return updating.valid, updating.place, pooled

    def _update(
        self, m: Module, banks: list[_Bank], reading: data.View, updating: data.View, written: data.View
    ) -> Value:
        """The value after the event `updating`; `reading` is the event behind it, `written` the one before.

        What the two events before it have changed was not yet in the memory when an event read it.
        """
        near = updating.valid & (reading.place == updating.place)
        far = written.valid & (reading.place == written.place)
        choice = Signal(2)
        m.d.sync += choice.eq(Mux(near, 2, Mux(far, 3, reading.place[-1])))
        pooled = Signal.like(banks[0].value, name="pooled")
        newest, older = (Signal.like(pooled, name=n, reset_less=True) for n in ("newest", "older"))
        before = Array([banks[0].value, banks[1].value, newest, older])[choice]
        m.d.comb += pooled.eq(self._pooled(before, updating.level))
        m.d.sync += [newest.eq(pooled), older.eq(newest)]
        return pooled

    def _pooled(self, before: Value, level: Value) -> Value:
        return before + level if self._shape.pooling == "sum" else Mux(level > before, level, before)

    def _send(self, m: Module, banks: list[_Bank]) -> tuple[Value, Value]:
        """Send the values of full banks; returns a strobe, and the place to clear behind the reading."""
        scan = self._scan
        bank = Signal()
        swept = Signal()
        fresh = Array(bank.fresh for bank in banks)
        with m.If(scan.next & scan.last):
            m.d.sync += [fresh[bank].eq(0), bank.eq(~bank), swept.eq(swept | bank)]
        p = scan.open(m, self.o, fresh[bank], ~swept, bank=bank)
        wipe, wiped = p.valid, Cat(p.channel, p.bank)
        p.stage()
        for k, done in enumerate(banks):
            with m.If(p.valid & scan.advance & p.last & (p.bank == k)):
                m.d.sync += [done.full.eq(0), done.scanned.eq(0), self.cleared.eq(self.cleared | k)]
        scan.send(m, p, self.o, Mux(p.bank, banks[1].value, banks[0].value))
        return wipe, wiped
