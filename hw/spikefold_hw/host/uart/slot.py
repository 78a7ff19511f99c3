"""A place for one beat between two blocks, so that no path goes from the one into the other."""

from collections.abc import Sequence

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from spikefold_hw.typed import Component


class Slot(Component):
    """Keeps a beat until it is taken; only then the next one comes, so it passes every second cycle at most.

    All its outputs come from flip-flops.

    Parameters
    ----------
    signature
        The stream.

    Members
    -------
    i : In(stream)
        Beats; ready while none is kept.
    o : Out(stream)
        The same beats.
    """

    latency = 1
    """Cycles from a beat's handshake to its place on the output."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self, signature: stream.Signature):
        super().__init__({"i": In(signature), "o": Out(signature)})

    def model(self, beats: Sequence[object]) -> list[object]:
        """Beats that leave for those that come."""
        return list(beats)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        arriving = Value.cast(self.i.payload)
        kept = Signal(len(arriving), reset_less=True)  # so that a block RAM's output register can be it
        m.d.comb += [self.i.ready.eq(~self.o.valid), Value.cast(self.o.payload).eq(kept)]
        with m.If(self.o.valid):
            m.d.sync += self.o.valid.eq(~self.o.ready)
        with m.Else():
            m.d.sync += [self.o.valid.eq(self.i.valid), kept.eq(arriving)]
        return m
