"""The current of a static input, handed out once for every time step."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from spikefold_hw.parts.lanes import sums_layout
from spikefold_hw.parts.memory import Ram, ring_next
from spikefold_hw.parts.occupancy import Occupancy
from spikefold_hw.parts.shapes import Blocks
from spikefold_hw.typed import Component

BANKS = 2


def repeat_rows(blocks: Blocks) -> int:
    """Rows of a `CurrentRepeater`'s memory."""
    return BANKS * blocks.words


class CurrentRepeater(Component):
    """Keeps the sums of a position and hands them out `repeats` times, one time step after the other.

    The first time a word may leave as soon as it came. There is room for two positions, so that the
    next one is taken while one is repeated; a position's room is free when its last word was fetched.

    Parameters
    ----------
    blocks
        Channels and units of a layer.
    bits
        Of a sum.
    repeats
        How often a position is handed out.
    name
        What the names of its memories begin with.

    Members
    -------
    i : In(stream(ArrayLayout(signed, Q)))
        Words of one position after another.
    o : Out(stream(ArrayLayout(signed, Q)))
        All words of a position, `repeats` times.
    """

    latency = 2
    """Cycles from a word's handshake to its first time on the output."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self, blocks: Blocks, bits: int, repeats: int, name: str = ""):
        self._name = name
        self._words = blocks.words
        self._repeats = repeats
        self._rows = repeat_rows(blocks)
        words = stream.Signature(sums_layout(bits, blocks.units))
        super().__init__({"i": In(words), "o": Out(words)})

    def model(self, words: Sequence[object]) -> list[object]:
        """Words that leave for those of whole positions."""
        starts = range(0, len(words), self._words)
        return [word for k in starts for word in list(words[k : k + self._words]) * self._repeats]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Ram(
            len(Value.cast(self.i.payload)), self._rows, f"{self._name}_currents"
        )
        room = Signal()
        fresh = Signal()
        taken, begins = self._keep(m, memory, room)
        fetch, first_time, frees = self._repeat(m, memory, fresh)
        m.d.comb += [
            fresh.eq(Occupancy(m, "fresh", self._rows, taken, fetch & first_time).some),
            room.eq(~Occupancy(m, "kept", BANKS, begins, frees).full),
        ]
        return m

    def _keep(self, m: Module, memory: Ram, room: Signal) -> tuple[Value, Value]:
        """Write words; returns the strobes of a word and of a position's first."""
        write = memory.write_port()
        word = Signal(range(self._words))
        taken = self.i.valid & self.i.ready
        m.d.comb += [
            self.i.ready.eq((word != 0) | room),
            write.en.eq(taken),
            write.data.eq(Value.cast(self.i.payload)),
        ]
        with m.If(taken):
            m.d.sync += [
                word.eq(ring_next(word, self._words)),
                write.addr.eq(ring_next(write.addr, self._rows)),
            ]
        return taken, taken & (word == 0)

    def _repeat(self, m: Module, memory: Ram, fresh: Signal) -> tuple[Value, Value, Value]:
        """Fetch words; returns the strobe, whether it is a first time, and the strobe of a position's end."""
        read = memory.read_port()
        word = Signal(range(self._words))
        repeat = Signal(range(self._repeats))
        start = Signal.like(read.addr)  # of the position
        fetch = Signal()
        last = Signal()
        final = Signal()
        following = ring_next(read.addr, self._rows)
        m.d.comb += [
            fetch.eq((fresh | (repeat != 0)) & (~self.o.valid | self.o.ready)),
            last.eq(word == self._words - 1),
            final.eq(last & (repeat == self._repeats - 1)),
            read.en.eq(fetch),
            Value.cast(self.o.payload).eq(read.data),
        ]
        with m.If(fetch):
            m.d.sync += [
                word.eq(ring_next(word, self._words)),
                read.addr.eq(Mux(last & ~final, start, following)),
            ]
            with m.If(last):
                m.d.sync += repeat.eq(ring_next(repeat, self._repeats))
            with m.If(final):
                m.d.sync += start.eq(following)
        with m.If(fetch | self.o.ready):
            m.d.sync += self.o.valid.eq(fetch)
        return fetch, repeat == 0, fetch & final
