"""Digits of levels."""

from itertools import pairwise

import numpy as np
import pytest

from spikefold.ir.coding import CODINGS, digit_count, digits_of, shifts_of


@pytest.mark.parametrize("coding", CODINGS)
def test_digits_sum_to_the_level(coding):
    for level in range(256):
        digits = digits_of(level, coding)
        assert sum(sign << shift for shift, sign in digits) == level
        assert [shift for shift, _ in digits] == sorted(shift for shift, _ in digits)
        assert {sign for _, sign in digits} <= ({-1, 1} if coding == "naf" else {1})
        assert digit_count(np.array([level]), coding).tolist() == [len(digits)]


def test_naf_has_the_fewest_digits():
    least = {0: 0}
    for count in range(1, 6):
        for value in list(least):
            for shift in range(9):
                for sum_ in (value + (1 << shift), value - (1 << shift)):
                    least.setdefault(sum_, count)
    for level in range(256):
        digits = digits_of(level, "naf")
        assert len(digits) == least[level]
        shifts = [shift for shift, _ in digits]
        assert all(b - a >= 2 for a, b in pairwise(shifts))


@pytest.mark.parametrize(
    ("coding", "levels", "shifts"),
    [
        ("binary", 1, 1),
        ("binary", 4, 3),
        ("binary", 15, 4),
        ("naf", 2, 2),
        ("naf", 3, 3),
        ("naf", 255, 9),
        ("unary", 255, 1),
    ],
)
def test_shifts_in_use(coding, levels, shifts):
    assert shifts_of(levels, coding) == shifts
