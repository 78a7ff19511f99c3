import itertools
import math

import pytest

from spikefold.analysis import METHODS, Capacity, capacity_table
from spikefold.errors import InputError


def vectors(symbols, neurons):
    """Every vector of spikes of one time step."""
    return set(itertools.product(range(symbols), repeat=neurons))


@pytest.mark.parametrize(("steps", "levels", "neurons"), [(1, 1, 1), (2, 1, 3), (3, 4, 2), (4, 2, 4)])
def test_brute_force(steps, levels, neurons):
    """The paper counts a vector at each step once: pairs of step and vector; whole trains are more."""
    capacity = Capacity(steps, levels + 1, neurons)
    each = vectors(levels + 1, neurons)
    pairs = {(t, vector) for t in range(steps) for vector in each}
    assert capacity.nats == pytest.approx(math.log(len(pairs)))
    assert capacity.bits == pytest.approx(math.log2(len(pairs)))
    trains = sum(1 for _ in itertools.product(each, repeat=steps))
    assert capacity.train_bits == pytest.approx(math.log2(trains))


def test_distinct_sums_of_independent_elements():
    """Definition 2: with generic coefficients every configuration of a step gives another sum."""
    coefficients = [1.0, math.sqrt(2), math.pi]
    found = {round(sum(k * s for k, s in zip(coefficients, v, strict=True)), 9) for v in vectors(5, 3)}
    assert math.log(len(found)) == pytest.approx(Capacity(1, 5, 3).nats)


def test_table():
    """Table 1 for T = 4, D = 4, N = 3: T 2^N, T 3^N, T 3^N, T 2^N, T (D+1)^N."""
    table = capacity_table(4, 4, 3)
    counts = [round(math.exp(row.nats)) for row in table.values()]
    assert counts == [4 * 8, 4 * 27, 4 * 27, 4 * 8, 4 * 125]
    assert list(table) == [method.name for method in METHODS]
    assert [method.formula for method in METHODS] == [
        "log(T 2^N)",
        "log(T 3^N)",
        "log(T 3^N)",
        "log(T 2^N)",
        "log(T (D+1)^N)",
    ]
    assert METHODS[-1].space == "{ sum_i sum_j a_ij k_j s_ij | s_ij in {0, .., D} }"


def test_large_layers_stay_finite():
    capacity = Capacity(4, 5, 100_000)
    assert capacity.bits == pytest.approx(2 + 100_000 * math.log2(5), rel=1e-15)
    assert capacity.nats == pytest.approx(capacity.bits * math.log(2), rel=1e-15)


@pytest.mark.parametrize("values", [(0, 4, 3), (1, 0, 3), (1, 4, 0), (1.0, 4, 3), (1, True, 3)])
def test_refusals(values):
    with pytest.raises(InputError, match=r"must be an integer of at least \d, not "):
        capacity_table(*values)
