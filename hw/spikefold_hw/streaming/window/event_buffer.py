"""The event buffer: keeps a window's events and replays them block by block."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold_hw.parts.digits import PendingDigits, encode
from spikefold_hw.parts.memory import Ram
from spikefold_hw.parts.shapes import WeightsShape
from spikefold_hw.streams import Event, index_bits


class Slot(data.StructLayout):
    """A replayed event with its digits, or with `flush` the end of a block."""

    def __init__(self, weights: WeightsShape):
        super().__init__(
            {
                "index": index_bits(weights.inputs),
                "digits": PendingDigits(weights.levels, weights.coding),
                "flush": 1,
            }
        )


class EventBuffer(wiring.Component):
    """Two banks of events: one is filled while the other is replayed, once per block.

    Zeros are never stored. A bank is free again when its last flush has left.

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

    latency = 3
    """Cycles from the mark's handshake to the first slot on the output."""

    def __init__(self, weights: WeightsShape, replays: int, name: str = ""):
        self._name = name
        self._weights = weights
        self._replays = replays
        super().__init__(
            {
                "i": In(stream.Signature(Event(weights.inputs, weights.levels))),
                "o": Out(stream.Signature(Slot(weights))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        weights, bits = self._weights, index_bits(self._weights.inputs)
        entry = data.StructLayout({"index": bits, "digits": PendingDigits(weights.levels, weights.coding)})
        m = Module()
        m.submodules.event_memory = memory = Ram(entry, 2 << bits, f"{self._name}_event")
        # A bank is full until its last slot has left, and fresh until that has been fetched.
        full = Array(Signal(name=f"full{k}") for k in range(2))
        fresh = Array(Signal(name=f"fresh{k}") for k in range(2))
        count = Array(Signal(bits + 1, name=f"count{k}") for k in range(2))
        empty = Array(Signal(name=f"empty{k}") for k in range(2))
        self._fill(m, memory, full, fresh, count, empty)
        self._replay(m, memory, full, fresh, count, empty)
        return m

    def _fill(self, m: Module, memory: Ram, full: Array, fresh: Array, count: Array, empty: Array) -> None:
        """Write one event per cycle into the bank that is being filled."""
        weights, event = self._weights, self.i.payload
        write = memory.write_port()
        bank = Signal()
        fill = Signal.like(count[0])
        stored = fill + (event.level != 0)
        taken = self.i.valid & self.i.ready
        m.d.comb += [
            self.i.ready.eq(~full[bank]),
            write.addr.eq(Cat(fill[:-1], bank)),
            write.data.eq(Cat(event.index, encode(event.level, weights.levels, weights.coding))),
            write.en.eq(taken & (event.level != 0)),
        ]
        with m.If(taken):
            m.d.sync += fill.eq(Mux(event.end_position, 0, stored))
            with m.If(event.end_position):
                m.d.sync += [bank.eq(~bank), count[bank].eq(stored), full[bank].eq(1), fresh[bank].eq(1)]
                m.d.sync += empty[bank].eq((fill == 0) & (event.level == 0))

    def _replay(self, m: Module, memory: Ram, full: Array, fresh: Array, count: Array, empty: Array) -> None:
        """Read slots: the memory's output is one stage, the output a second, since block RAM is slow."""
        read = memory.read_port()
        bank = Signal()
        pointer = Signal(len(count[0]) - 1)
        ahead = Signal.like(count[0], init=1)
        # Whether a block ends at the pointer is compared one fetch ahead, out of the way of `ready`.
        begins = Signal(init=1)
        ends = Signal()
        valid = Signal()
        final = Signal()
        # Not reset, so that synthesis may use the register inside the block RAM.
        slot, waiting = (Signal(Slot(self._weights), reset_less=True) for _ in range(2))
        flush = Signal()
        last = Signal()
        fetch = Signal()
        move = Signal()
        m.d.comb += [
            flush.eq(Mux(begins, empty[bank], ends)),
            move.eq(self.o.ready | ~self.o.valid),
            fetch.eq(fresh[bank] & (move | ~valid)),
            read.addr.eq(Cat(pointer, bank)),
            read.en.eq(fetch),
            Cat(slot.index, slot.digits).eq(read.data),
        ]
        with m.If(fetch):
            m.d.sync += [
                slot.flush.eq(flush),
                final.eq(flush & last),
                begins.eq(flush),
                ends.eq(ahead == count[bank]),
                pointer.eq(Mux(flush, 0, ahead)),
                ahead.eq(Mux(flush, 1, ahead + 1)),
            ]
            with m.If(flush & last):
                m.d.sync += [fresh[bank].eq(0), bank.eq(~bank)]
        with m.If(fetch | move):
            m.d.sync += valid.eq(fetch)
        leaves = Signal()
        leaving = Signal()
        with m.If(move):
            m.d.sync += [self.o.valid.eq(valid), waiting.eq(slot), leaves.eq(final)]
        m.d.comb += self.o.payload.eq(waiting)
        with m.If(self.o.valid & self.o.ready & leaves):
            m.d.sync += [full[leaving].eq(0), leaving.eq(~leaving)]
        replay = Signal(range(self._replays))
        m.d.comb += last.eq(replay == self._replays - 1)
        with m.If(fetch & flush):
            m.d.sync += replay.eq(Mux(last, 0, replay + 1))
