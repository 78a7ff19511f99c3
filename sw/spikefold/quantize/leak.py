"""A leak as few signed powers of two."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold.ir import ShiftSum, ShiftSums
from spikefold.ir.neuron import MAX_SHIFT
from spikefold.nn.neurons.leak import PerChannel


def leak_shifts(leak: float, terms: int) -> ShiftSum:
    """Return the sum of at most `terms` signed powers of two that is closest to `leak`.

    Terms are canonical signed digits, the largest first. Among sums whose error is within
    `4^-(terms + 2)` of the best (0.1 % for three terms, far below what rounding the weights loses),
    the one with the smallest shifts is taken: every further shift widens the adder by a bit.

    Parameters
    ----------
    leak
        0..1.
    terms
        1..8.

    Raises
    ------
    InputError
        If a parameter is out of range.
    """
    if not 0 <= leak <= 1:
        raise InputError(f"Leak must be 0..1, not {leak!r}")
    if isinstance(terms, bool) or not isinstance(terms, int) or not 1 <= terms <= 8:
        raise InputError(f"Leak terms K must be 1..8, not {terms!r}")
    numerators = _numerators(terms)
    errors = abs(numerators / (1 << MAX_SHIFT) - leak)
    close = errors <= errors.min() + 4.0 ** -(terms + 2)
    places = _lowest_place(numerators)
    best = np.lexsort((errors[close], -places[close]))[0]
    return ShiftSum(_signed_digits(int(numerators[close][best])))


def shifts_of(leak: PerChannel, terms: int) -> ShiftSum | ShiftSums:
    """As `leak_shifts`, of one leak or of each channel's."""
    if not isinstance(leak, tuple):
        return leak_shifts(leak, terms)
    found = {one: leak_shifts(one, terms) for one in set(leak)}
    return ShiftSums(tuple(found[one] for one in leak))


@cache
def _numerators(terms: int) -> NDArray[np.int64]:
    """Numbers 0..2^15 of at most `terms` signed digits: the set bits of `n ^ 3n` count them."""
    n = np.arange((1 << MAX_SHIFT) + 1)
    few: NDArray[np.bool_] = np.bitwise_count(n ^ (3 * n)) <= terms
    return n[few]


def _lowest_place(n: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of the lowest set bit; of 0, the highest there is."""
    return np.where(n == 0, MAX_SHIFT, np.bitwise_count((n & -n) - 1).astype(np.int64))


def _signed_digits(n: int) -> tuple[tuple[int, int], ...]:
    """Non-adjacent form of `n / 2^15` as (sign, shift)."""
    digits = []
    place = 0
    while n:
        if n & 1:
            digit = 2 - (n & 3)
            digits.append((digit, MAX_SHIFT - place))
            n -= digit
        n >>= 1
        place += 1
    return tuple(reversed(digits))
