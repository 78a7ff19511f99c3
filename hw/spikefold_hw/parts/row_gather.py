"""Making a memory row of the values that come one by one."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from spikefold_hw.streams import index_bits
from spikefold_hw.typed import Component, view_signal


class RowGather(Component):
    """Keeps the values of a row, so that each time one comes the row can be written with all of them.

    The values of a row follow each other; those of another row, or of a cleared one, start from zeros.

    Parameters
    ----------
    rows
        Rows of a cell.
    count
        Values of a row.
    bits
        Of a value.

    Members
    -------
    put : In(1)
        A value comes, and stays until the row changes.
    clear : In(1)
        The cell ends: no value stays, not even one that comes in this cycle.
    row, place, value : In
        Its row, its place in it, and the value.
    empty : In(1)
        Leave the value out of `word`.
    word : Out
        The present row: what was put before, and the value at its place.
    """

    put: Signal
    clear: Signal
    row: Signal
    place: Signal
    value: Signal
    empty: Signal
    word: Signal

    def __init__(self, rows: int, count: int, bits: int):
        self._count, self._bits = count, bits
        super().__init__(
            {name: In(1) for name in ("put", "clear", "empty")}
            | {"row": In(index_bits(rows)), "place": In(index_bits(count)), "value": In(bits)}
            | {"word": Out(count * bits)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        kept = view_signal(data.ArrayLayout(self._bits, self._count))
        last = Signal.like(self.row, reset_less=True)
        m.d.comb += self.word.eq(Cat(self._merged(k, kept[k], last) for k in range(self._count)))
        with m.If(self.put):
            m.d.sync += [kept.as_value().eq(self.word), last.eq(self.row)]
        with m.If(self.clear):
            m.d.sync += kept.as_value().eq(0)
        return m

    def _merged(self, place: int, kept: Value, last: Value) -> Value:
        before = Mux(self.row == last, kept, 0)
        return Mux((self.place == place) & ~self.empty, self.value, before)
