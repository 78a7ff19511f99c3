"""Bytes of a load frame from words that are written to a register."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from spikefold_hw.typed import Component

BYTES = 4


class LoadWords(Component):
    """Takes a word of up to four bytes, and sends them, lowest first; a word that comes meanwhile is dropped.

    Members
    -------
    write : In(1)
        Strobe: take `word`, of which `strobes` names the bytes.
    word, strobes : In
        As above.
    free : Out(1)
        A word would be taken.
    dropped : Out(1)
        Strobe: it was not.
    o : Out(stream(8))
        The bytes.
    """

    write: Signal
    word: Signal
    strobes: Signal
    free: Signal
    dropped: Signal
    o: stream.Interface

    def __init__(self) -> None:
        super().__init__(
            {
                "write": In(1),
                "word": In(8 * BYTES),
                "strobes": In(BYTES),
                "free": Out(1),
                "dropped": Out(1),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        kept, left = Signal(8 * BYTES, reset_less=True), Signal(BYTES)
        m.d.comb += [
            self.free.eq(~left.any()),
            self.dropped.eq(self.write & ~self.free),
            self.o.valid.eq(left[0]),
            self.o.payload.eq(kept[:8]),
        ]
        with m.If(self.write & self.free):
            m.d.sync += [kept.eq(self.word), left.eq(self.strobes)]
        # A byte that was not written is passed over in a cycle.
        with m.Elif(~left[0] | self.o.ready):
            m.d.sync += [kept.eq(kept >> 8), left.eq(left >> 1)]
        return m
