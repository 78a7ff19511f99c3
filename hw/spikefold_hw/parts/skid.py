"""A stream whose `ready` comes straight from a flip-flop."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from spikefold_hw.typed import Component


class Skid(Component):
    """Passes beats on in the same cycle, and keeps the one that comes when the sink has just stopped.

    The source sees a cycle later whether the sink waits, so a pipeline in front of it can stand still or move
    on a flip-flop alone, `i.ready`.

    Parameters
    ----------
    signature
        The stream.

    Members
    -------
    i : In(stream)
        Beats; ready unless one is kept.
    o : Out(stream)
        The same beats.
    """

    latency = 0
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
        free = Signal(init=1)  # no beat is kept; in this sense, as an enable of block RAM has no inverse
        arriving = Value.cast(self.i.payload)
        kept = Signal(len(arriving), reset_less=True)
        m.d.comb += [
            self.i.ready.eq(free),
            self.o.valid.eq(self.i.valid | ~free),
            Value.cast(self.o.payload).eq(Mux(free, arriving, kept)),
        ]
        m.d.sync += free.eq(self.o.ready | ~self.o.valid)
        with m.If(free):
            m.d.sync += kept.eq(arriving)
        return m
