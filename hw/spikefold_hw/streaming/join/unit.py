"""The sum of two sources' levels, neuron by neuron."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.neuron import Integers
from spikefold_hw.parts.cell_scan import CellScan
from spikefold_hw.parts.level_buffer import LevelBuffer
from spikefold_hw.streaming.join.shape import JoinShape
from spikefold_hw.streams import Event, connect
from spikefold_hw.typed import Component


class AddUnit(Component):
    """Two buffers of levels, and an adder that goes over the channels of a cell when both hold it.

    Parameters
    ----------
    shape
        The sum.
    name
        What the names of its memories begin with.

    Members
    -------
    i0, i1 : In(stream(Event))
        The cells of each source.
    o : Out(stream(Event))
        The channels with a level above 0, ascending, and a mark at the last channel's turn.
    """

    latency = LevelBuffer.fill_latency + LevelBuffer.latency + 1
    """Cycles from the later of a cell's two marks to its first channel on the output."""

    cleared = saturated = None

    i0: stream.Interface
    i1: stream.Interface
    o: stream.Interface

    def __init__(self, shape: JoinShape, name: str = ""):
        channels = shape.map.channels
        self._buffers = tuple(
            LevelBuffer(channels, 1, each.levels, each.depth, f"{name}_skip{k}")
            for k, each in enumerate(shape.buffers)
        )
        self._scan = CellScan(shape.map, shape.time)
        super().__init__(
            {
                "i0": In(stream.Signature(Event(channels, shape.buffers[0].levels))),
                "i1": In(stream.Signature(Event(channels, shape.buffers[1].levels))),
                "o": Out(stream.Signature(Event(channels, shape.levels))),
            }
        )

    @property
    def inputs(self) -> list[stream.Interface]:
        """Both input streams."""
        return [self.i0, self.i1]

    def model(self, first: Integers, second: Integers) -> Integers:
        """Levels that leave for those of both sources."""
        return first + second

    def elaborate(self, platform: object) -> Module:
        m = Module()
        scan, (first, second) = self._scan, self._buffers
        m.submodules.first, m.submodules.second = first, second
        connect(m, wiring.flipped(self.i0), first.i)
        connect(m, wiring.flipped(self.i1), second.i)
        p = scan.open(m, self.o, first.available & second.available)
        for buffer in self._buffers:
            m.d.comb += [buffer.advance.eq(scan.advance), buffer.next.eq(scan.next)]
        for _ in range(LevelBuffer.latency - 1):
            p.stage()
        scan.send(m, p, self.o, first.levels[0] + second.levels[0])
        return m
