"""Packets of dense levels: several in a beat, taken apart word by word."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from spikefold_hw.host.axi.config import AxiFormat
from spikefold_hw.host.axi.packets import AxisBeat
from spikefold_hw.host.dense import DenseWord, Word
from spikefold_hw.streams import EventStream
from spikefold_hw.typed import Component

_BYTE = 8


@dataclass(frozen=True)
class AxisTransfer:
    """A beat of a packet as a model sees it: bytes, lowest first, and the flag of each."""

    data: bytes
    keep: tuple[bool, ...]
    last: bool = False
    user: int = 0


class PackedLevels(Component):
    """Takes beats apart into words for `DenseEvents`.

    A level is a byte. TKEEP must be all ones, but in the last
    beat of a packet, where the lowest bytes are kept, as many as whole words have. A beat that breaks this
    becomes one broken word, and so does a word with a level that has more bits than the block's levels.

    Parameters
    ----------
    events
        What a sample is.
    format
        How it lies in packets.

    Members
    -------
    i : In(stream(AxisBeat))
        Packets, one for each sample.
    o : Out(stream(DenseWord))
        Their words.
    keep_wrong, level_high : Out(1)
        Strobes: a beat, or a word, broke its rule.
    """

    i: stream.Interface
    o: stream.Interface
    keep_wrong: Signal
    level_high: Signal

    def __init__(self, events: EventStream, format: AxiFormat):  # noqa: A002 - as it is called
        self._format, self._level_bits = format, events.levels.bit_length()
        self._words = format.config.bytes // format.lanes
        super().__init__(
            {
                "i": In(stream.Signature(AxisBeat(format.data_bits, format.tag_bits))),
                "o": Out(stream.Signature(DenseWord(events, format.lanes, format.tag_bits))),
                "keep_wrong": Out(1),
                "level_high": Out(1),
            }
        )

    def model(self, beats: Sequence[AxisTransfer]) -> Iterator[Word]:
        """The words of beats; the levels of a broken one are zeros."""
        lanes = self._format.lanes
        for beat in beats:
            kept = beat.keep.index(False) if False in beat.keep else len(beat.keep)
            broken = not kept or any(beat.keep[kept:]) or bool(kept % lanes)
            broken |= not beat.last and kept < len(beat.keep)
            if broken:
                yield Word((0,) * lanes, beat.last, True, beat.user)
                continue
            for k in range(0, kept, lanes):
                word = tuple(beat.data[k : k + lanes])
                high = max(word) >> self._level_bits > 0
                last = beat.last and k + lanes == kept
                yield Word((0,) * lanes if high else word, last, high, beat.user)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat, word = self.i.payload, self.o.payload
        size = len(beat.keep) // self._words
        keeps = [beat.keep[k * size : (k + 1) * size] for k in range(self._words)]
        rules, final, taken, high = Signal(), Signal(), Signal(), Signal()
        place = Signal(range(self._words))
        follows = Array([*(keep[0] for keep in keeps[1:]), 0])
        m.d.comb += [
            rules.eq(self._keeps_rules(beat.keep, keeps, beat.last)),
            final.eq(~rules | ~follows[place]),
            taken.eq(self.i.valid & self.o.ready),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready & final),
            word.last.eq(beat.last & final),
            word.broken.eq(~rules | high),
            self.keep_wrong.eq(taken & ~rules),
            self.level_high.eq(taken & rules & high),
        ]
        if self._format.tag_bits:
            m.d.comb += word.tag.eq(beat.user)
        with m.If(taken):
            m.d.sync += place.eq(Mux(final, 0, place + 1))
        self._pick(m, place, high)
        return m

    def _keeps_rules(self, keep: Value, keeps: Sequence[Value], last: Value) -> Value:
        """Whether the bytes that a beat keeps are the lowest, whole words, and all but in the last beat."""
        low = (keep & (keep + 1))[: len(keep)] == 0
        whole = Cat(part.any() == part.all() for part in keeps).all()
        result: Value = keep[0] & low & whole & (last | keep.all())
        return result

    def _pick(self, m: Module, place: Value, high: Signal) -> None:
        """The levels of the word at a place, and whether one of them has too many bits."""
        lanes, size = self._format.lanes, _BYTE * self._format.lanes
        word = Signal(size)
        words = [self.i.payload.data[k * size : (k + 1) * size] for k in range(self._words)]
        m.d.comb += word.eq(Array(words)[place])
        fields = [word[k * _BYTE : (k + 1) * _BYTE] for k in range(lanes)]
        m.d.comb += [self.o.payload.levels[k].eq(field[: self._level_bits]) for k, field in enumerate(fields)]
        m.d.comb += high.eq(Cat(field[self._level_bits :] for field in fields).any())
