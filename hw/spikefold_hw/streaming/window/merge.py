"""Several projections of a layer in turn."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from spikefold_hw.streams import Digit
from spikefold_hw.typed import Component


class ProjectionMerge(Component):
    """Lets the projections of a layer take turns: a block gets the digits of each, then one flush.

    The flush that ends a projection's turn takes a cycle.

    Members
    -------
    i0, i1, .. : In(stream(Digit))
        Digits of each projection.
    o : Out(stream(Digit))
        Digits of all, each with its projection as `window`.
    """

    o: stream.Interface

    def __init__(self, output: Digit, inputs: list[Digit]):
        self._count = len(inputs)
        ports = {f"i{k}": In(stream.Signature(digit)) for k, digit in enumerate(inputs)}
        super().__init__(ports | {"o": Out(stream.Signature(output))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        turn = Signal(range(self._count))
        inputs = [getattr(self, f"i{k}") for k in range(self._count)]
        last = turn == self._count - 1
        flush = Signal()
        swallowed = Signal()
        payload = self.o.payload
        valid = Array(i.valid for i in inputs)[turn]
        m.d.comb += [
            flush.eq(Array(i.payload.flush for i in inputs)[turn]),
            swallowed.eq(flush & ~last),
            self.o.valid.eq(valid & ~swallowed),
            payload.window.eq(turn),
            payload.flush.eq(flush),
        ]
        m.d.comb += [
            payload[name].eq(Array(i.payload[name] for i in inputs)[turn])
            for name in ("row", "shift", "negative")
        ]
        for k, i in enumerate(inputs):
            m.d.comb += i.ready.eq((turn == k) & (swallowed | self.o.ready))
        with m.If(valid & flush & (swallowed | self.o.ready)):
            m.d.sync += turn.eq(Mux(last, 0, turn + 1))
        return m
