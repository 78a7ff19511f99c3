"""The sum of two sources' levels, neuron by neuron."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.neuron import Integers
from spikefold.ir.profile import AddProfile, Order
from spikefold_hw.cells import CellScan
from spikefold_hw.levels import LevelBuffer
from spikefold_hw.streams import Event, connect


class AddUnit(wiring.Component):
    """Two buffers of levels, and an adder that goes over the channels of a cell when both hold it.

    Parameters
    ----------
    profile
        Shape of the sum.
    steps
        Time steps T.
    order
        How time runs.

    Members
    -------
    i0, i1 : In(stream(Event))
        The cells of each source.
    o : Out(stream(Event))
        The channels with a level above 0, ascending, and a mark at the last channel's turn.
    """

    latency = LevelBuffer.fill_latency + LevelBuffer.latency + 1
    """Cycles from the later of a cell's two marks to its first channel on the output."""

    def __init__(self, profile: AddProfile, steps: int, order: Order):
        channels = profile.map.channels
        self._buffers = tuple(LevelBuffer(channels, 1, buffer) for buffer in profile.buffers)
        self._scan = CellScan(profile.map, steps, order)
        super().__init__(
            {
                "i0": In(stream.Signature(Event(channels, profile.buffers[0].levels))),
                "i1": In(stream.Signature(Event(channels, profile.buffers[1].levels))),
                "o": Out(stream.Signature(Event(channels, profile.levels))),
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
