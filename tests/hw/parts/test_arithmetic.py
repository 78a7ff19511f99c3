"""Division by constants against Python's, and selections, for every operand."""

import pytest
from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from spikefold_hw.parts.arithmetic import divide, select, times


class Function(wiring.Component):
    """`results` of one operand."""

    def __init__(self, function, count):
        super().__init__({"value": In(10)} | {f"result{k}": Out(24) for k in range(count)})
        self._function = function
        self._count = count

    def elaborate(self, platform):
        m = Module()
        for k, result in enumerate(self._function(self.value)):
            m.d.comb += getattr(self, f"result{k}").eq(Value.cast(result))
        return m


def table(function, count, operands):
    """What the gateware gives for each operand."""
    dut, got = Function(function, count), []

    async def bench(ctx):
        for value in operands:
            ctx.set(dut.value, value)
            got.append(tuple(ctx.get(getattr(dut, f"result{k}")) for k in range(count)))

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    return got


@pytest.mark.parametrize("divisor", [1, 2, 3, 5, 6, 7, 12, 100, 1023])
def test_divide_by_a_constant(divisor):
    got = table(lambda value: divide(value, divisor, 1024), 2, range(1024))
    assert got == [divmod(value, divisor) for value in range(1024)]


@pytest.mark.parametrize("factor", [1, 2, 3, 6, 7, 100, 1023])
def test_times_a_constant(factor):
    assert table(lambda value: [times(value, factor)], 1, range(1024)) == [(factor * v,) for v in range(1024)]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_select(count):
    values = [Value.cast(10 + 7 * k) for k in range(count)]
    got = table(lambda value: [select(values, value[: max(1, (count - 1).bit_length())])], 1, range(count))
    assert got == [(10 + 7 * k,) for k in range(count)]
