"""From a source's cells to every block's digits."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.coding import digits_of
from spikefold.ir.maps import Map
from spikefold.ir.neuron import Integers
from spikefold_hw.order import Time
from spikefold_hw.parts.shapes import Blocks
from spikefold_hw.streaming.window.digit_issuer import DigitIssuer
from spikefold_hw.streaming.window.event_buffer import EventBuffer
from spikefold_hw.streaming.window.flatten import Flatten
from spikefold_hw.streaming.window.line_buffer import LineBuffer
from spikefold_hw.streaming.window.shape import ProjectionShape
from spikefold_hw.streams import connect
from spikefold_hw.typed import Component

Issued = tuple[int, int, int, bool]
"""`(row, shift, sign, flush)`; row, shift and sign of a flush are 0."""


def projection_latency(projection: ProjectionShape) -> int:
    """Cycles from the handshake of the last mark that a window needs to its first tap's first digit."""
    front = LineBuffer.latency if projection.window.depth else 0
    return front + EventBuffer.latency + DigitIssuer.latency


class ProjectionCore(Component):
    """Everything between a source and the lanes: line buffer (where one is needed), event buffer, digits.

    Parameters
    ----------
    projection
        The projection.
    map, time
        The layer's map, its time steps and their order.
    blocks
        How the layer's channels are cut into blocks.
    name
        What the names of its memories begin with.

    Members
    -------
    i : In(stream(Event))
        Cells of the source.
    o : Out(stream(Digit))
        Digits with their weight row, and a flush after every block.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, projection: ProjectionShape, map: Map, time: Time, blocks: Blocks, name: str = ""):  # noqa: A002
        self._projection = projection
        self._positions, self._time, self._blocks = map.positions, time, blocks
        self._replays = blocks.count // projection.window.groups
        window = projection.window
        self._buffer = EventBuffer(projection.weights, self._replays, name)
        self._issuer = DigitIssuer(projection.weights, blocks.count, map.positions, time)
        self._front: LineBuffer | Flatten | None = None
        if window.depth:
            self._front = LineBuffer(window, name=name)
        elif window.map.positions > 1 and window.geometry.whole:
            self._front = Flatten(window)
        first = self._front or self._buffer
        super().__init__({"i": In(first.i.signature.flip()), "o": Out(self._issuer.o.signature)})

    def model(self, levels: Integers) -> list[Issued]:
        """Everything that is issued for cells `levels` in stream order, (cells, channels); whole samples."""
        weights, replays, issued = self._projection.weights, self._replays, []
        steps, _ = self._time.places(self._positions)
        for k, window in enumerate(self._windows(levels)):
            cell, group = divmod(k, self._projection.window.groups)
            step = int(steps[cell % len(steps)]) if weights.sets > 1 else 0
            for block in range(group * replays, (group + 1) * replays):
                base = (step * self._blocks.count + block) * weights.inputs
                for index, level in window:
                    digits = digits_of(level, weights.coding)
                    issued += [(base + index, shift, sign, False) for shift, sign in digits]
                issued.append((0, 0, 0, True))
        return issued

    def _windows(self, levels: Integers) -> list[list[tuple[int, int]]]:
        window = self._projection.window
        if isinstance(self._front, LineBuffer):
            maps = levels.reshape(-1, window.map.positions, window.steps, window.map.channels)
            return self._front.model(maps)
        cells = levels.reshape(-1, window.inputs)
        return [[(int(k), int(cell[k])) for k in cell.nonzero()[0]] for cell in cells]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.buffer = self._buffer
        m.submodules.issuer = self._issuer
        if self._front is None:
            connect(m, wiring.flipped(self.i), self._buffer.i)
        else:
            m.submodules.front = self._front
            connect(m, wiring.flipped(self.i), self._front.i)
            connect(m, self._front.o, self._buffer.i)
        connect(m, self._buffer.o, self._issuer.i)
        connect(m, self._issuer.o, wiring.flipped(self.o))
        return m
