"""A whole map as one cell."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from spikefold_hw.streaming.window.shape import WindowShape
from spikefold_hw.streams import Event
from spikefold_hw.typed import Component


class Flatten(Component):
    """Turns the cells of a whole map into one: the index counts positions too.

    Members
    -------
    i : In(stream(Event))
        Cells of a map, a step at a time.
    o : Out(stream(Event))
        The same events, in the same cycle, index (row, column, channel); the last cell's mark alone is left.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, window: WindowShape):
        self._map = window.map
        super().__init__(
            {
                "i": In(stream.Signature(Event(window.map.channels, window.levels))),
                "o": Out(stream.Signature(Event(window.map.size, window.levels))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        base = Signal.like(self.o.payload.index)
        last = base == self._map.size - self._map.channels
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
            self.o.payload.index.eq(base + self.i.payload.index),
            self.o.payload.level.eq(self.i.payload.level),
            self.o.payload.end_position.eq(self.i.payload.end_position & last),
        ]
        with m.If(self.i.valid & self.i.ready & self.i.payload.end_position):
            m.d.sync += base.eq(Mux(last, 0, base + self._map.channels))
        return m
