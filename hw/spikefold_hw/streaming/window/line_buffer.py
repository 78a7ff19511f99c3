"""The line buffer: keeps the last positions of a map and gathers the events under a sliding window."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.neuron import Integers
from spikefold_hw.parts.memory import Ram
from spikefold_hw.streaming.window.fill import LineFill
from spikefold_hw.streaming.window.gather import LineGather
from spikefold_hw.streaming.window.records import CellRecord, EventRecord, event_rows
from spikefold_hw.streaming.window.shape import WindowShape
from spikefold_hw.streaming.window.walk import WindowWalk
from spikefold_hw.streams import connect
from spikefold_hw.typed import Component


class LineBuffer(Component):
    """Turns a map's cells into windows: for each output position, step and group one cell of events.

    A ring keeps the last `window.depth` positions. A window is gathered as soon as its last position is
    complete; taps outside the map are silent. What no later window needs is given free position by
    position.

    Parameters
    ----------
    window
        The window and what is kept; `depth` above 0.
    taps
        Whether the index of a gathered event counts its place under the kernel too: (row, column,
        channel of the group). Without, it is the channel.
    name
        What the names of its memories begin with.

    Members
    -------
    i : In(stream(Event))
        Cells of the map, indices below its channels. A position is taken whole once it was begun.
    o : Out(stream(Event))
        Windows, ended by `end_position`; the other flags are 0.
    """

    latency = WindowWalk.available_latency + LineGather.tap_latency + LineGather.event_latency
    """Cycles from the handshake of the last mark a window needs to the window's first tap on the output."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self, window: WindowShape, taps: bool = True, name: str = ""):
        self._name = name
        self._shape = window
        self._taps = taps
        self._fill, self._gather = LineFill(window), LineGather(window, taps)
        super().__init__({"i": In(self._fill.i.signature.flip()), "o": Out(self._gather.o.signature)})

    def model(self, levels: Integers) -> list[list[tuple[int, int]]]:
        """`(index, level)` of every window, for cells `levels` of whole maps.

        Levels have the shape (maps, positions, steps, channels); windows come map by map, and in it by
        output position, step and group.
        """
        window, geometry = self._shape, self._shape.geometry
        windows = []
        for cells in levels:
            for y in range(geometry.height):
                for x in range(geometry.width):
                    windows += [
                        self._gathered(cells[:, step], y, x, group)
                        for step in range(window.steps)
                        for group in range(window.groups)
                    ]
        return windows

    def _gathered(self, cells: Integers, y: int, x: int, group: int) -> list[tuple[int, int]]:
        window, found = self._shape, []
        for ky in range(window.kernel[0]):
            for kx in range(window.kernel[1]):
                row = y * window.stride[0] - window.padding[0] + ky
                column = x * window.stride[1] - window.padding[1] + kx
                if not (0 <= row < window.map.height and 0 <= column < window.map.width):
                    continue
                tap = (ky * window.kernel[1] + kx) * window.channels if self._taps else 0
                place = row * window.map.width + column
                for c in range(group * window.channels, (group + 1) * window.channels):
                    if cells[place, c]:
                        found.append((tap + c - group * window.channels, int(cells[place, c])))
        return found

    def elaborate(self, platform: object) -> Module:
        window = self._shape
        m = Module()
        m.submodules.event_memory = events = Ram(
            EventRecord(window), event_rows(window), f"{self._name}_line_events"
        )
        m.submodules.cell_memory = records = Ram(CellRecord(window), window.cells, f"{self._name}_line_cells")
        m.submodules.fill, m.submodules.gather = fill, gather = self._fill, self._gather
        connect(m, wiring.flipped(self.i), fill.i)
        connect(m, gather.o, wiring.flipped(self.o))
        for writer, memory in ((fill.event, events), (fill.record, records)):
            write = memory.write_port()
            m.d.comb += [write.en.eq(writer.en), write.addr.eq(writer.addr), write.data.eq(writer.data)]
        for reader, memory in ((gather.event, events), (gather.record, records)):
            read = memory.read_port()
            m.d.comb += [read.en.eq(reader.en), read.addr.eq(reader.addr), reader.data.eq(read.data)]
        m.d.comb += [gather.written.eq(fill.written), fill.released.eq(gather.released)]
        return m
