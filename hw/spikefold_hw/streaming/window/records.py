"""What a line buffer keeps: rows of its memories, and the ports that reach them."""

from amaranth.hdl import ShapeLike
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikefold_hw.streaming.window.shape import WindowShape
from spikefold_hw.streams import index_bits


class CellRecord(data.StructLayout):
    """Where the events of a cell (a position at a time step) begin, and how many each group has."""

    def __init__(self, window: WindowShape):
        count = window.channels.bit_length()
        counts = data.ArrayLayout(count, window.groups)
        super().__init__({"base": index_bits(event_rows(window)), "counts": counts})


class EventRecord(data.StructLayout):
    """An event of a cell: its index within the group, and its level."""

    def __init__(self, window: WindowShape):
        super().__init__({"index": index_bits(window.channels), "level": window.levels.bit_length()})


def event_rows(window: WindowShape) -> int:
    """Events that a `LineBuffer` has room for."""
    return window.cells * window.map.channels


def write_port(rows: int, row: ShapeLike) -> wiring.Signature:
    """A port that writes rows of this shape."""
    return wiring.Signature({"en": Out(1), "addr": Out(index_bits(rows)), "data": Out(row)})


def read_port(rows: int, row: ShapeLike) -> wiring.Signature:
    """A port that reads rows of this shape; they arrive a cycle later."""
    return wiring.Signature({"en": Out(1), "addr": Out(index_bits(rows)), "data": In(row)})
