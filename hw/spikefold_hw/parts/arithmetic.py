"""Combinational pieces without a multiplier: constants as shifts and additions, selections as trees."""

from collections.abc import Sequence
from itertools import zip_longest

from amaranth.hdl import Cat, Const, Mux, Value


def times(value: Value, factor: int) -> Value:
    """An unsigned `value` times a positive constant."""
    shifts = [k for k in range(factor.bit_length()) if factor >> k & 1]
    return sum((value << k for k in shifts[1:]), value << shifts[0])


def divide(value: Value, divisor: int, below: int) -> tuple[Value, Value]:
    """Quotient and rest of an unsigned `value` below `below` by a constant."""
    if divisor & (divisor - 1) == 0:
        place = divisor.bit_length() - 1
        return value[place:], value[:place]
    # The reciprocal, rounded up, with bits enough for the quotient to be exact.
    shift = (below - 1).bit_length() + divisor.bit_length()
    quotient = (times(value, -(-(1 << shift) // divisor)) >> shift)[: ((below - 1) // divisor).bit_length()]
    return quotient, (value - times(quotient, divisor))[: (divisor - 1).bit_length()]


def add(total: Value, operand: Value, negative: Value) -> Value:
    """`total + operand`, and one more if negative, with one carry chain: the sign goes in as the carry."""
    if isinstance(negative, Const):
        return total + operand
    return (Cat(negative, total).as_signed() + Cat(negative, operand).as_signed())[1:]


def select(values: Sequence[Value], index: Value) -> Value:
    """`values[index]` as a tree of two-way selections."""
    level = list(values)
    for bit in index:
        level = [Mux(bit, b, a) for a, b in zip_longest(level[::2], level[1::2], fillvalue=level[-1])]
    return level[0]
