"""A memory of cells: values of one cell come in one by one, while rows of another go out."""

from typing import NamedTuple

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import In, Out

from spikefold_hw.parts.memory import Ram, ring_next
from spikefold_hw.parts.row_gather import RowGather
from spikefold_hw.streams import index_bits
from spikefold_hw.typed import Component


class CellRows(NamedTuple):
    """What a cell is in a memory: rows, values of a row, and bits of a value."""

    rows: int
    values: int
    bits: int

    @property
    def width(self) -> int:
        """Bits of a row."""
        return self.values * self.bits


class CellMemory(Component):
    """A ring of cells; a row is named within its cell.

    The values of a row come one after another; at those that do not come the row holds zeros. A row is
    written with each of its values, so a row without one keeps what an earlier cell left there. Who uses
    it sees to it that no cell is read before it has ended, nor written before it was read.

    Parameters
    ----------
    cell
        What a cell is.
    depth
        Cells.
    at_end
        Write at a cell's end instead, its one row, which then has no need of a value.
    name
        Of the memory.

    Members
    -------
    put : In(1)
        A value comes.
    row, place, value : In
        Its row, its place in the row, and the value.
    end : In(1)
        The cell ends with this cycle; the next one comes in.
    read, read_row : In
        Fetch a row of the cell that goes out.
    read_data : Out
        The row, a cycle later.
    read_end : In(1)
        That cell ends with this cycle; the next one goes out.
    """

    put: Signal
    row: Signal
    place: Signal
    value: Signal
    end: Signal
    read: Signal
    read_row: Signal
    read_data: Signal
    read_end: Signal

    def __init__(self, cell: CellRows, depth: int, at_end: bool = False, name: str = ""):
        self._name = name
        self._cell, self._depth, self._at_end = cell, depth, at_end
        row = index_bits(cell.rows)
        super().__init__(
            {name: In(1) for name in ("put", "end", "read", "read_end")}
            | {"row": In(row), "place": In(index_bits(cell.values)), "value": In(cell.bits)}
            | {"read_row": In(row), "read_data": Out(cell.width)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Ram(self._cell.width, self._depth * self._cell.rows, self._name)
        m.submodules.gather = gather = RowGather(self._cell.rows, self._cell.values, self._cell.bits)
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            gather.put.eq(self.put),
            gather.clear.eq(self.end),
            gather.row.eq(self.row),
            gather.place.eq(self.place),
            gather.value.eq(self.value),
            gather.empty.eq(~self.put if self._at_end else 0),
            write.en.eq(self.end if self._at_end else self.put),
            write.addr.eq(self._first_row(m, "write_first", self.end) + self.row),
            write.data.eq(gather.word),
            read.en.eq(self.read),
            read.addr.eq(self._first_row(m, "read_first", self.read_end) + self.read_row),
            self.read_data.eq(read.data),
        ]
        return m

    def _first_row(self, m: Module, name: str, end: Value) -> Signal:
        """First row of the present cell; `end` goes on to the next cell."""
        rows = self._depth * self._cell.rows
        first = Signal(range(rows), name=name)
        with m.If(end):
            m.d.sync += first.eq(ring_next(first, rows, self._cell.rows))
        return first
