"""Turning levels into digits, and picking digits one at a time."""

from collections.abc import Callable

from amaranth.hdl import Array, Cat, Const, Mux, Value, unsigned
from amaranth.lib import data

from spikefold.ir.coding import Coding, shifts_of


class PendingDigits(data.StructLayout):
    """Digits of one level that are still to be issued.

    `pending` is a mask of positions, for "unary" a count; `negative` marks the -1 digits of "naf".
    """

    def __init__(self, levels: int, coding: Coding):
        width = levels.bit_length() if coding == "unary" else shifts_of(levels, coding)
        fields = {"pending": unsigned(width)}
        if coding == "naf":
            fields["negative"] = unsigned(width)
        super().__init__(fields)


_TABLE_BITS = 5
"""Levels of so many bits are looked up: a LUT for each bit of the answer is faster than a carry chain."""


def encode(level: Value, levels: int, coding: Coding) -> Value:
    """Digits of a level as the bits of a `PendingDigits`."""
    if coding != "naf":
        return level
    width = shifts_of(levels, coding)
    if len(level) <= _TABLE_BITS:
        return _looked_up(level, 2 * width, lambda n: _naf(n, width))
    wide = Cat(level, Const(0, 2))
    triple = ((level << 1) + level)[: len(wide)]
    positive, negative = (triple & ~wide)[1:], (wide & ~triple)[1:]
    return Cat((positive | negative)[:width], negative[:width])


def lowest(pending: Value, coding: Coding) -> Value:
    """Shift of the lowest pending digit."""
    shift: Value = Const(0)
    if coding != "unary":
        for position in reversed(range(len(pending))):
            shift = Mux(pending[position], position, shift)
    return shift


def is_single(pending: Value, coding: Coding) -> Value:
    """Whether at most one digit is pending."""
    return without_lowest(pending, coding) == 0


def has_one_digit(level: Value, levels: int, coding: Coding) -> Value:
    """Whether a level has at most one digit."""
    layout = PendingDigits(levels, coding)
    if len(level) > _TABLE_BITS:
        pending = encode(level, levels, coding)[: layout["pending"].width]
        return is_single(pending, coding)
    if coding == "unary":
        return ~level[1:].any()
    mask = (1 << layout["pending"].width) - 1
    digits = (lambda n: _naf(n, shifts_of(levels, coding))) if coding == "naf" else int
    return _looked_up(level, 1, lambda n: int((digits(n) & mask).bit_count() <= 1))


def _looked_up(value: Value, bits: int, function: Callable[[int], int]) -> Value:
    """A function of a few bits, as a table."""
    answer: Value = Array(Const(function(n), bits) for n in range(1 << len(value)))[value]
    return answer


def _naf(number: int, width: int) -> int:
    """What `encode` gives for a number."""
    triple, mask = 3 * number, (1 << width) - 1
    positive, negative = (triple & ~number) >> 1, (number & ~triple) >> 1
    return (positive | negative) & mask | (negative & mask) << width


def without_lowest(pending: Value, coding: Coding) -> Value:
    """What is pending after the lowest digit; without a carry chain where that is a mask."""
    if coding == "unary":
        return (pending - 1)[: len(pending)]
    return Cat(bit & pending[:position].any() for position, bit in enumerate(pending))
