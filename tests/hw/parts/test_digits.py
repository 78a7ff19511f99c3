"""Encoding levels and picking their digits, against `ir.coding`."""

import pytest
from amaranth.hdl import Module, Shape, Signal
from amaranth.sim import Simulator

from spikefold.ir.coding import CODINGS, digits_of, shifts_of
from spikefold_hw.parts.digits import PendingDigits, encode, has_one_digit, lowest, without_lowest


def issued(levels, coding):
    """Digits of every level 0..levels, as the gateware gives them one after another."""
    layout = PendingDigits(levels, coding)
    m = Module()
    level, slot = Signal(range(levels + 1)), Signal(layout)
    code, shift, rest = Signal(Shape.cast(layout).width), Signal(4), Signal(9)
    m.d.comb += [
        code.eq(encode(level, levels, coding)),
        shift.eq(lowest(slot.pending, coding)),
        rest.eq(without_lowest(slot.pending, coding)),
    ]
    single = Signal()
    m.d.comb += single.eq(has_one_digit(level, levels, coding))
    result = []

    async def bench(ctx):
        for value in range(levels + 1):
            ctx.set(level, value)
            assert value == 0 or ctx.get(single) == (len(digits_of(value, coding)) == 1)
            ctx.set(slot.as_value(), ctx.get(code))
            digits = []
            while pending := ctx.get(slot.pending):
                negative = coding == "naf" and ctx.get(slot.negative) >> ctx.get(shift) & 1
                digits.append((ctx.get(shift), -1 if negative else 1))
                assert ctx.get(rest) < pending
                ctx.set(slot.pending, ctx.get(rest))
            result.append(tuple(digits))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return result


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("levels", [*range(1, 17), 31, 255])
def test_digits_of_every_level_are_those_of_the_coding(levels, coding):
    expected = [digits_of(level, coding) for level in range(levels + 1)]
    assert issued(levels, coding) == expected
    assert max(shift for digits in expected for shift, _ in digits) == shifts_of(levels, coding) - 1


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("levels", [1, 4, 15, 255])
def test_encode_fills_the_layout(levels, coding):
    level = Signal(range(levels + 1))
    assert len(encode(level, levels, coding)) == Shape.cast(PendingDigits(levels, coding)).width
