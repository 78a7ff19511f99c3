"""From a word of neurons to one beat per cycle."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Shape, ShapeLike, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from spikefold_hw.parts.arithmetic import select, times
from spikefold_hw.parts.digits import without_lowest
from spikefold_hw.streams import index_bits
from spikefold_hw.typed import Component, view_signal


class Serializer(Component):
    """Sends the values of a word that are marked for it, one per cycle, lowest first.

    A word stays until all of its values were sent: k of them take max(1, k) cycles. A word without any
    sends nothing, and lets the next one in even while a beat waits; with `bare` it sends one beat, its
    last value.

    Parameters
    ----------
    words
        Words that follow each other; the index runs over all of their values.
    units
        Values of a word, Q.
    shape
        Shape of a value.
    flags
        Shape of what goes with a word.

    Members
    -------
    i : In(stream(StructLayout))
        `send`, a bit per value; `values`; `word`; `bare`; `flags`.
    o : Out(stream(StructLayout))
        `index`, `value`, whether it is the `last` of its word, and the word's `flags`. Nothing moves while it
        is not ready, so `ready` must not wait for `valid`.
    """

    i: stream.Interface
    o: stream.Interface

    latency = 2
    """Cycles from a word's handshake to its first value on the output."""

    def __init__(self, words: int, units: int, shape: ShapeLike, flags: ShapeLike):
        self._units = units
        word = {
            "send": units,
            "values": data.ArrayLayout(shape, units),
            "word": index_bits(words),
            "bare": 1,
            "flags": flags,
        }
        beat = {"index": index_bits(words * units), "value": Shape.cast(shape), "last": 1, "flags": flags}
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout(word))),
                "o": Out(stream.Signature(data.StructLayout(beat))),
            }
        )

    def model(
        self, word: int, values: Sequence[int], send: Sequence[bool], bare: bool, flags: int
    ) -> list[tuple[int, int, bool, int]]:
        """Beats `(index, value, last, flags)` of a word, for its `units` values and whether each is sent."""
        places = [k for k, sends in enumerate(send) if sends]
        if bare and not places:
            places = [self._units - 1]
        return [(word * self._units + k, values[k], k == places[-1], flags) for k in places]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word = view_signal(self.i.payload.shape(), reset_less=True)
        beat = view_signal(self.o.payload.shape(), reset_less=True)
        busy = Signal()
        more = Signal()
        move = Signal()
        pending, arriving = word.send, self.i.payload
        rest = without_lowest(pending, "binary")
        m.d.comb += [
            move.eq(self.o.ready),
            self.i.ready.eq(~busy | (move & ~more)),
            self.o.payload.eq(beat),
        ]
        with m.If(self.i.ready):
            m.d.sync += [
                word.eq(arriving),
                busy.eq(self.i.valid & (arriving.send.any() | arriving.bare)),
                more.eq(without_lowest(arriving.send, "binary").any()),
            ]
        with m.Elif(move):
            m.d.sync += [pending.eq(rest), more.eq(without_lowest(rest, "binary").any())]
        place = self._lowest(pending)
        with m.If(move):
            m.d.sync += [
                self.o.valid.eq(busy),
                beat.index.eq(self._index(word.word, place)),
                Value.cast(beat.value).eq(select([Value.cast(value) for value in word.values], place)),
                beat.last.eq(~more),
                beat.flags.eq(word.flags),
            ]
        return m

    def _lowest(self, pending: Value) -> Value:
        """Place of the lowest pending value; the last one if there is none."""
        place: Value = Value.cast(self._units - 1)
        for k in reversed(range(self._units - 1)):
            place = Mux(pending[k], k, place)
        return place

    def _index(self, word: Value, place: Value) -> Value:
        if self._units & (self._units - 1):
            return times(word, self._units) + place
        return (word << (self._units.bit_length() - 1)) | place
