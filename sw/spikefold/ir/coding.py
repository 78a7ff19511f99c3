"""Digits of a level: the signed powers of two that stand for it where no multiplication is wanted."""

from functools import cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from spikefold.ir.neuron import Integers

Coding = Literal["binary", "naf", "unary"]
CODINGS: tuple[Coding, ...] = get_args(Coding)

Digit = tuple[int, int]
"""`(shift, sign)`: the digit `sign · 2^shift`."""


def digits_of(level: int, coding: Coding) -> tuple[Digit, ...]:
    """Digits of a level 0..255, the lowest shift first.

    "binary" gives its ones, "naf" the non-adjacent form (fewest signed digits), "unary" as many
    ones as the level says (the D binary sub-steps of PIT Eq. 21). All sum to the level.
    """
    if coding == "unary":
        return ((0, 1),) * level
    if coding == "binary":
        return tuple((k, 1) for k in range(level.bit_length()) if level >> k & 1)
    positive, negative = naf_masks(level)
    mask = positive | negative
    return tuple((k, -1 if negative >> k & 1 else 1) for k in range(mask.bit_length()) if mask >> k & 1)


def naf_masks(level: int) -> tuple[int, int]:
    """Bit masks of the +1 and the -1 digits of the non-adjacent form."""
    triple = 3 * level
    return (triple & ~level) >> 1, (level & ~triple) >> 1


def shifts_of(levels: int, coding: Coding) -> int:
    """How many shifts the digits of levels 0..`levels` use: they are 0 .. shifts - 1."""
    return 1 + max(shift for level in range(1, levels + 1) for shift, _ in digits_of(level, coding))


@cache
def _counts(coding: Coding) -> NDArray[np.int64]:
    return np.array([len(digits_of(level, coding)) for level in range(256)])


def digit_count(levels: Integers, coding: Coding) -> Integers:
    """Number of digits of every level of an array with values 0..255."""
    return _counts(coding)[levels]
