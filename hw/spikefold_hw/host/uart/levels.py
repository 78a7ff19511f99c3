"""Levels as bits: a zero is one bit, and every other level a one and the bits of what it is above 1."""

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from spikefold_hw.host.dense import levels_per_sample
from spikefold_hw.streams import EventStream
from spikefold_hw.typed import Component


def level_bits(levels: int) -> int:
    """Bits behind the first one of a level 1..`levels`."""
    return (levels - 1).bit_length()


def pack_levels(sample: NDArray[np.integer], levels: int) -> bytes:
    """Bytes of one sample: bit by bit, the lowest of each byte and of each level first, and zeros to its end.

    Parameters
    ----------
    sample
        Levels 0..`levels` in the order of the stream, any shape.
    """
    flat = sample.ravel().astype(np.int64)
    width = level_bits(levels)
    codes = np.where(flat > 0, (flat - 1) << 1 | 1, 0)
    bits = codes[:, None] >> np.arange(width + 1) & 1
    sent = np.ones(bits.shape, np.bool_)
    sent[flat == 0, 1:] = False
    return np.packbits(bits[sent].astype(np.uint8), bitorder="little").tobytes()


def unpack_levels(data: bytes, levels: int, size: int) -> list[list[int]]:
    """The samples of `size` levels in bytes, each from a new byte on; one that is not whole is left out."""
    samples, bits, width = [], [byte >> k & 1 for byte in data for k in range(8)], level_bits(levels)
    sample: list[int] = []
    place = 0
    while place + width < len(bits) or (place < len(bits) and not bits[place]):
        fires = bits[place]
        code = bits[place + 1 : place + 1 + width] if fires else []
        sample.append(1 + sum(bit << k for k, bit in enumerate(code)) if fires else 0)
        place += 1 + len(code)
        if len(sample) == size:
            samples.append(sample)
            sample, place = [], -(-place // 8) * 8
    return samples


class LevelDecoder(Component):
    """Takes levels out of bytes, a bit in a cycle, and marks the ends of samples.

    Parameters
    ----------
    events
        What a sample is.

    Members
    -------
    i : In(stream(8))
        Bytes of `pack_levels`.
    o : Out(stream(StructLayout))
        Words of one level, as `DenseEvents` takes them.
    abort : In(1)
        Strobe: a sample that has begun ends as a broken one, and the next byte begins another.
    begins : Out(1)
        Strobe: the first word of a sample is about to be offered. So many results are to be awaited.
    """

    i: stream.Interface
    o: stream.Interface
    abort: Signal
    begins: Signal

    latency = 2
    """Cycles from a byte to its first level, if that is 0."""

    def __init__(self, events: EventStream):
        self._levels, self._size = events.levels, levels_per_sample(events)
        word = {"levels": data.ArrayLayout(events.levels.bit_length(), 1), "last": 1, "broken": 1}
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(data.StructLayout(word))),
                "abort": In(1),
                "begins": Out(1),
            }
        )

    def model(self, given: bytes) -> list[list[int]]:
        """The samples of bytes."""
        return unpack_levels(given, self._levels, self._size)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width, size = level_bits(self._levels), self._size
        bits, left = Signal(8), Signal(range(9))
        inside, aborting, free = Signal(), Signal(), Signal()
        to_come = Signal(range(size), init=size - 1)  # levels behind the present one
        puts, level, last = Signal(), Signal.like(self.o.payload.levels[0]), Signal()
        behind = Signal(range(width + 1))  # bits of the present level that are to come
        m.d.comb += [
            free.eq((~self.o.valid | self.o.ready) & ~self.abort),
            last.eq(to_come == 0),
            self.i.ready.eq(left == 0),
            self.begins.eq(puts & ~inside),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [bits.eq(self.i.payload), left.eq(8)]
        moves = free & ~aborting & (left != 0)
        with m.If(moves):
            m.d.sync += [bits.eq(bits >> 1), left.eq(left - 1)]
            self._bit(m, bits[0], behind, puts, level)
        with m.If(puts):
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.payload.levels[0].eq(level),
                self.o.payload.last.eq(last),
                self.o.payload.broken.eq(0),
                inside.eq(~last),
                to_come.eq(Mux(last, size - 1, to_come - 1)),
            ]
            with m.If(last):
                m.d.sync += left.eq(0)
        with m.If(free & aborting):
            m.d.sync += [
                self.o.valid.eq(inside),
                self.o.payload.last.eq(1),
                self.o.payload.broken.eq(1),
                inside.eq(0),
                to_come.eq(size - 1),
                aborting.eq(0),
            ]
        with m.If(self.abort):
            m.d.sync += [left.eq(0), behind.eq(0), aborting.eq(1)]
        return m

    def _bit(self, m: Module, bit: Value, behind: Signal, puts: Signal, level: Signal) -> None:
        """Take one bit: a zero level, the start of another, or a bit of it."""
        width = level_bits(self._levels)
        if not width:
            m.d.comb += [puts.eq(1), level.eq(bit)]
            return
        value = Signal(width, name="value")
        with m.If(behind == 0):
            m.d.comb += puts.eq(~bit)
            with m.If(bit):
                m.d.sync += behind.eq(width)
        with m.Else():
            m.d.sync += [value.eq(Cat(value, bit)[1:]), behind.eq(behind - 1)]
            m.d.comb += [puts.eq(behind == 1), level.eq(Cat(value, bit)[1:] + 1)]
