"""A buffer of two beats that cuts every path from one side to the other."""

from amaranth.hdl import Module, ShapeLike, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from spikefold_hw.typed import Component


class StreamBuffer(Component):
    """Passes beats on, one per cycle; `i.ready`, `o.valid` and `o.payload` come straight from flip-flops.

    Parameters
    ----------
    shape
        Of the payload.

    Members
    -------
    i : In(stream)
        Beats.
    o : Out(stream)
        The same beats, `latency` cycles later at least.
    """

    latency = 1

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: ShapeLike):
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        given, held = Value.cast(self.i.payload), Value.cast(self.o.payload)
        spare = Signal(len(given), reset_less=True)
        full = Signal()
        room = ~self.o.valid | self.o.ready
        shown = Signal(len(given), reset_less=True)
        m.d.comb += [self.i.ready.eq(~full), held.eq(shown)]
        with m.If(~full):
            m.d.sync += spare.eq(given)
        with m.If(room):
            m.d.sync += [self.o.valid.eq(full | self.i.valid), full.eq(0)]
            with m.If(full):
                m.d.sync += shown.eq(spare)
            with m.Else():
                m.d.sync += shown.eq(given)
        with m.Elif(self.i.valid):
            m.d.sync += full.eq(1)
        return m
