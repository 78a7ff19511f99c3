"""Packets of events: one in a beat, a packet for each sample."""

from collections.abc import Iterator, Sequence

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from spikefold_hw.host.axi.config import INDEX_BITS, LEVEL_BITS, WORD_BITS
from spikefold_hw.host.axi.levels import AxisTransfer
from spikefold_hw.host.axi.packets import AxisBeat
from spikefold_hw.host.dense import FLAGS
from spikefold_hw.parts.input_rules import Beat
from spikefold_hw.streams import Event, EventStream, index_bits
from spikefold_hw.typed import Component

_LEVEL, _FLAGS = INDEX_BITS, INDEX_BITS + LEVEL_BITS


def event_word(beat: Beat) -> int:
    """A beat of the block as TDATA: index, level, then the three flags, the end of the sample highest."""
    flags = beat.end_position | beat.end_step << 1 | beat.end_sample << 2
    return beat.index | beat.level << _LEVEL | flags << _FLAGS


class PackedEvents(Component):
    """Takes events out of beats; every packet ends exactly one sample.

    A beat must keep all its bytes, must have TLAST where it has `end_sample` and nowhere else, and no bits
    that the block's index and level do not have. From a beat on that breaks this its packet is discarded, and
    ends with a mark for which the block's result has `error`.

    Parameters
    ----------
    events
        What a sample is.
    tag_bits
        Width of a sample's tag, which is TUSER.

    Members
    -------
    i : In(stream(AxisBeat))
        Packets, one for each sample.
    o : Out(stream(Event))
        What the block gets; no path leads from `o.ready` to `o.valid`.
    open : Out(1)
        Beats of a packet have been taken, and not its last.
    keep_wrong, bits_high, end_wrong : Out(1)
        Strobes: the first wrong beat of a packet broke this rule.
    """

    i: stream.Interface
    o: stream.Interface
    open: Signal
    keep_wrong: Signal
    bits_high: Signal
    end_wrong: Signal

    def __init__(self, events: EventStream, tag_bits: int = 0):
        self._tag_bits = tag_bits
        self._index_bits = index_bits(events.map.channels)
        self._level_bits = events.levels.bit_length()
        super().__init__(
            {
                "i": In(stream.Signature(AxisBeat(WORD_BITS, tag_bits))),
                "o": Out(stream.Signature(Event(events.map.channels, events.levels, tag_bits))),
                "open": Out(1),
                "keep_wrong": Out(1),
                "bits_high": Out(1),
                "end_wrong": Out(1),
            }
        )

    def model(self, beats: Sequence[AxisTransfer]) -> Iterator[Beat]:
        """What the block gets."""
        spoilt = False
        for beat in beats:
            word = int.from_bytes(beat.data, "little")
            index, level = word & (1 << INDEX_BITS) - 1, word >> _LEVEL & (1 << LEVEL_BITS) - 1
            position, step, sample = (bool(word >> _FLAGS + bit & 1) for bit in range(len(FLAGS)))
            high = index >> self._index_bits or level >> self._level_bits
            spoilt |= not all(beat.keep) or bool(high) or sample != beat.last
            if not spoilt:
                yield Beat(index, level, position, step, sample, beat.user)
            elif beat.last:
                yield Beat(index & (1 << self._index_bits) - 1, 0, True, False, True, beat.user)
            spoilt &= not beat.last

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat, event = self.i.payload, self.o.payload
        index, level = beat.data[:_LEVEL], beat.data[_LEVEL:_FLAGS]
        flags = beat.data[_FLAGS:]
        spoilt, bad, judged = Signal(), Signal(), Signal()
        rules = Signal(3)
        m.d.comb += [
            rules.eq(
                Cat(
                    ~beat.keep.all(),
                    index[self._index_bits :].any() | level[self._level_bits :].any(),
                    flags[-1] != beat.last,
                )
            ),
            bad.eq(spoilt | rules.any()),
            self.o.valid.eq(self.i.valid & (~bad | beat.last)),
            self.i.ready.eq(self.o.ready | (bad & ~beat.last)),
            judged.eq(self.i.valid & self.i.ready & ~spoilt),
            Cat(self.keep_wrong, self.bits_high, self.end_wrong).eq(Mux(judged, rules, 0)),
            event.index.eq(index),
            event.level.eq(Mux(bad, 0, level)),
            Cat(event[name] for name in FLAGS).eq(Mux(bad, 0b101, flags)),
        ]
        if self._tag_bits:
            m.d.comb += event.tag.eq(beat.user)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [spoilt.eq(bad & ~beat.last), self.open.eq(~beat.last)]
        return m
