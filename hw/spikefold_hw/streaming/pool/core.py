"""A pool: the line buffer that gathers its windows, and the unit that pools them."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold_hw.parts.pool import PoolUnit
from spikefold_hw.parts.shapes import PoolShape
from spikefold_hw.streaming.window.line_buffer import LineBuffer
from spikefold_hw.streaming.window.shape import WindowShape
from spikefold_hw.streams import Event, connect
from spikefold_hw.typed import Component


class PoolCore(Component):
    """Pools a map.

    Members
    -------
    i0 : In(stream(Event))
        Cells of the source.
    o : Out(stream(Event))
        Cells of the pooled map.
    cleared : Out(1)
        It is ready to work; some cycles after a reset.
    """

    saturated = None

    cleared: Signal
    i0: stream.Interface
    o: stream.Interface

    def __init__(self, window: WindowShape, shape: PoolShape, name: str = ""):
        self._lines = LineBuffer(window, taps=False, name=name)
        self._unit = PoolUnit(shape, name)
        super().__init__(
            {
                "i0": In(self._lines.i.signature.flip()),
                "o": Out(stream.Signature(Event(shape.map.channels, shape.levels))),
                "cleared": Out(1),
            }
        )

    @property
    def inputs(self) -> list[stream.Interface]:
        """The input stream."""
        return [self.i0]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.lines = self._lines
        m.submodules.unit = self._unit
        connect(m, wiring.flipped(self.i0), self._lines.i)
        connect(m, self._lines.o, self._unit.i)
        connect(m, self._unit.o, wiring.flipped(self.o))
        m.d.comb += self.cleared.eq(self._unit.cleared)
        return m
