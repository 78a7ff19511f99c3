"""One stream for several readers."""

from amaranth.hdl import Cat, Module
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from spikefold_hw.typed import Component


class Fork(Component):
    """Hands every beat of one stream to several readers at once, when all of them are ready.

    Members
    -------
    i : In(stream)
        The stream.
    o0, o1, .. : Out(stream)
        The readers. Their `ready` must not wait for `valid`.
    """

    i: stream.Interface

    def __init__(self, signature: stream.Signature, count: int):
        self._count = count
        super().__init__({"i": In(signature)} | {f"o{k}": Out(signature) for k in range(count)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        outputs = [getattr(self, f"o{k}") for k in range(self._count)]
        m.d.comb += self.i.ready.eq(Cat(o.ready for o in outputs).all())
        for o in outputs:
            others = [other.ready for other in outputs if other is not o]
            m.d.comb += [o.payload.eq(self.i.payload), o.valid.eq(self.i.valid & Cat(others).all())]
        return m
