"""Memory contents that do not fit are refused, never truncated."""

import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from stream_bench import simulate

from spikefold.errors import InputError
from spikefold_hw.parts.memory import Ram, Rom, ring_next


@pytest.mark.usefixtures("not_elaborated")
def test_rom_refuses_too_many_rows():
    with pytest.raises(InputError, match=r"^Memory 'a_weight0' must have at most 2 rows, not 3$"):
        Rom("a_weight0", 4, 2, {"a_weight0": [1, 2, 3]})


@pytest.mark.usefixtures("not_elaborated")
@pytest.mark.parametrize("row", [16, -1, 1 << 70])
@pytest.mark.parametrize(
    "shape", [4, signed(4), data.StructLayout({"a": 1, "b": 3}), data.ArrayLayout(2, 2)], ids=str
)
def test_rom_refuses_a_row_too_wide(shape, row):
    with pytest.raises(InputError, match=rf"^Row of memory 'm' must fit 4 bits, not {row}$"):
        Rom("m", shape, 2, {"m": [0, row]})


class Reader(wiring.Component):
    address: In(3)
    data: Out(4)

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Rom("m", 4, 8, {"m": [15, 3, 0, 9], "other": [1]})
        read = memory.read_port()
        m.d.comb += [read.addr.eq(self.address), read.en.eq(1), self.data.eq(read.data)]
        return m


def test_rom_reads_its_own_rows_one_cycle_later_and_zeros_after_them():
    dut, read = Reader(), []

    async def bench(ctx):
        for address in range(8):
            ctx.set(dut.address, address)
            await ctx.tick()
            read.append(ctx.get(dut.data))

    simulate(dut, bench)
    assert read == [15, 3, 0, 9, 0, 0, 0, 0]


@pytest.mark.usefixtures("not_elaborated")
def test_rom_knows_its_file():
    assert Rom("hidden_weight0", 4, 2).file == "hidden_weight0.mem"


@pytest.mark.usefixtures("not_elaborated")
def test_ram_stores_plain_bits():
    ram = Ram(data.StructLayout({"a": 3, "b": signed(2)}), 6)
    assert (ram.shape, ram.depth) == (5, 6)


@pytest.mark.parametrize(("rows", "step"), [(1, 1), (5, 1), (12, 3), (16, 4), (6, 6)])
def test_ring_goes_round_at_any_number_of_rows(rows, step):
    class Ring(wiring.Component):
        row: Out(range(17))

        def elaborate(self, platform):
            m = Module()
            m.d.sync += self.row.eq(ring_next(self.row, rows, step))
            return m

    dut, seen = Ring(), []

    async def bench(ctx):
        for _ in range(2 * rows):
            seen.append(ctx.get(dut.row))
            await ctx.tick()

    simulate(dut, bench)
    assert seen == [k * step % rows for k in range(2 * rows)]
