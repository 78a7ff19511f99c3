"""Turning levels into digits, and picking digits one at a time."""

from amaranth.hdl import Cat, Const, Mux, Value, unsigned
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


def encode(level: Value, levels: int, coding: Coding) -> Value:
    """Digits of a level as the bits of a `PendingDigits`."""
    if coding != "naf":
        return level
    width = shifts_of(levels, coding)
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


def without_lowest(pending: Value, coding: Coding) -> Value:
    """What is pending after the lowest digit; without a carry chain where that is a mask."""
    if coding == "unary":
        return (pending - 1)[: len(pending)]
    return Cat(bit & pending[:position].any() for position, bit in enumerate(pending))
