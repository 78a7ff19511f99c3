"""Leaks as signed powers of two."""

from itertools import combinations_with_replacement, product

import numpy as np
import pytest

from spikefold.errors import InputError
from spikefold.quantize import leak_shifts


def every_sum(terms):
    """All sums of at most `terms` signed powers of two, by enumeration, in units of 2^-15."""
    powers = [sign << place for place in range(16) for sign in (-1, 1)]
    return np.unique([sum(c) for k in range(terms + 1) for c in combinations_with_replacement(powers, k)])


@pytest.mark.parametrize("terms", [1, 2, 3])
def test_error_is_the_least_there_is(terms):
    sums = every_sum(terms) / (1 << 15)
    for leak in [*np.random.default_rng(terms).random(300), 0.0, 1.0, 0.5, 1e-5, 1 - 1e-5]:
        got = leak_shifts(float(leak), terms)
        assert len(got.terms) <= terms
        assert abs(got.value - leak) <= abs(sums - leak).min() + 4.0 ** -(terms + 2) + 1e-12


@pytest.mark.parametrize(
    ("leak", "terms", "expected"),
    [
        (0.0, 3, ()),
        (1.0, 3, ((1, 0),)),
        (0.5, 1, ((1, 1),)),
        (0.75, 2, ((1, 0), (-1, 2))),
        (0.9, 3, ((1, 0), (-1, 3), (1, 5))),
        (2.0**-15, 8, ((1, 15),)),
    ],
)
def test_known_leaks(leak, terms, expected):
    assert leak_shifts(leak, terms).terms == expected


def test_no_shift_is_spent_on_less_than_the_tolerance():
    assert leak_shifts(0.2501, 3).terms == ((1, 2),)


def test_digits_are_canonical():
    for leak, terms in product(np.linspace(0, 1, 101), (2, 4, 8)):
        shifts = [shift for _, shift in leak_shifts(float(leak), terms).terms]
        assert shifts == sorted(shifts)
        assert (np.diff(shifts) >= 2).all()


@pytest.mark.parametrize("leak", [-0.1, 1.1, float("nan")])
def test_wrong_leaks_are_refused(leak):
    with pytest.raises(InputError, match=r"^Leak must be 0\.\.1, not "):
        leak_shifts(leak, 3)


@pytest.mark.parametrize("terms", [0, 9, 2.0, True])
def test_wrong_terms_are_refused(terms):
    with pytest.raises(InputError, match=r"^Leak terms K must be 1\.\.8, not "):
        leak_shifts(0.5, terms)
