"""Parameters of a neuron: what is refused, the shift sums, and the divider-free ladder."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from spikefold.errors import ModelError
from spikefold.ir import Neuron, ShiftSum, ShiftSums
from spikefold.ir.neuron import ladder_weights


@pytest.mark.parametrize(
    ("terms", "value"),
    [
        ((), 0),
        (((1, 0),), 1),
        (((1, 1), (1, 2)), 0.75),
        (((1, 0), (-1, 15)), 1 - 2**-15),
        (((-1, 3),), -0.125),
    ],
)
def test_shift_sums_round_half_up(terms, value):
    shifts = ShiftSum(terms)
    assert shifts.value == value
    v = np.arange(-1000, 1000)
    exact = [floor(Fraction(value) * int(x) + (Fraction(1, 2) if shifts.precision else 0)) for x in v]
    assert shifts.apply(v).tolist() == exact


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ((1, 16), r"^Shift must be 0\.\.15, not 16$"),
        ((1, -1), r"^Shift must be 0\.\.15, not -1$"),
        ((1, 2.0), r"^Shift must be 0\.\.15, not 2\.0$"),
        ((0, 1), r"^Sign of a shift term must be -1 or \+1, not 0$"),
        ((2, 1), r"^Sign of a shift term must be -1\.\.1, not 2$"),
    ],
)
def test_wrong_shift_terms_are_refused(term, message):
    with pytest.raises(ModelError, match=message):
        ShiftSum((term,))


LEAKS = tuple(map(ShiftSum, (((1, 0), (-1, 3), (1, 7)), (), ((1, 0),), ((1, 1),), ((-1, 2), (-1, 5)))))


def test_leaks_of_channels_round_as_each_alone():
    """One precision for all: of each channel a numerator and a denominator times the same power of two."""
    each = ShiftSums(LEAKS)
    assert each.precision == 7
    assert each.value.tolist() == [leak.value for leak in LEAKS]
    assert (each.numerator / 128).tolist() == each.value.tolist()
    assert each.span.tolist() == [128 + 16 + 1, 0, 128, 64, 32 + 4]
    assert each.longest == LEAKS[0]
    v = np.arange(-1000, 1000)[:, None]
    expected = np.concatenate([leak.apply(v) for leak in LEAKS], axis=1)
    np.testing.assert_array_equal(each.apply(np.broadcast_to(v, (2000, 5))), expected)


def test_leaks_of_channels_that_agree_are_one():
    threshold = np.ones((1, 3), int)
    assert Neuron(1, threshold, leak=ShiftSums(LEAKS[:1] * 3)).leak == LEAKS[0]
    assert Neuron(1, threshold, leak=ShiftSums(LEAKS[:3])).leak == ShiftSums(LEAKS[:3])
    for leaks in (LEAKS[:2], LEAKS[:1] * 2):
        with pytest.raises(ModelError, match=r"^Leak must be of 3 channels, as the threshold, not of 2$"):
            Neuron(1, threshold, leak=ShiftSums(leaks))
    with pytest.raises(
        ModelError, match=r"^A factor per channel must have a shift sum for each, but has none$"
    ):
        ShiftSums(())


@pytest.mark.parametrize("levels", [*range(1, 40), 63, 64, 100, 127, 128, 200, 254, 255])
def test_ladder_is_a_clipped_division(levels):
    weights = ladder_weights(levels)
    assert sum(weights) == levels
    assert len(weights) == levels.bit_length()
    for theta in (1, 3, 7):
        r = np.arange(-2 * theta, (levels + 3) * theta)
        rest, n = r.copy(), np.zeros_like(r)
        for weight in weights:
            taken = rest >= weight * theta
            n += weight * taken
            rest -= weight * theta * taken
        np.testing.assert_array_equal(n, np.clip(r // theta, 0, levels))
        np.testing.assert_array_equal(rest, r - n * theta)


@pytest.mark.parametrize("levels", [*range(1, 40), 63, 64, 100, 127, 128, 200, 254, 255])
def test_ladder_of_half_even_is_strict_at_odd_levels(levels):
    weights = ladder_weights(levels, "half_even")
    assert len(weights) == levels.bit_length()
    assert weights[-1] == 1
    assert all(weight % 2 == 0 for weight in weights[:-1])
    for theta in (1, 2, 3, 4, 7, 10):
        u = np.arange(-2 * theta, (levels + 3) * theta)
        rest, n = u + theta // 2, np.zeros_like(u)
        for weight in weights:
            taken = (rest >= (weight * theta if weight % 2 == 0 else theta | 1)) & (n < levels)
            n += weight * taken
            rest -= weight * theta * taken
        wanted = [min(max(round(Fraction(int(each), theta)), 0), levels) for each in u]
        np.testing.assert_array_equal(n, wanted)
        np.testing.assert_array_equal(rest, u + theta // 2 - n * theta)


def test_ties_of_an_even_threshold_go_to_the_even_level():
    u = np.array([[-5, 5, 6, 15, 16, 25, 26, 35, 99]]).T
    steps = {}
    for rounding in ("half_up", "half_even"):
        neuron = Neuron(3, np.array([[10]]), rounding=rounding)
        steps[rounding] = neuron.step(u, np.zeros_like(u), np.zeros(u.shape, bool), 0)
        assert neuron.first_spike == [5 if rounding == "half_up" else 6]
    assert steps["half_up"][0].ravel().tolist() == [0, 1, 1, 2, 2, 3, 3, 3, 3]
    level, v, fired = steps["half_even"]
    assert level.ravel().tolist() == [0, 0, 1, 2, 2, 2, 3, 3, 3]
    assert v.ravel().tolist() == [-5, 5, -4, -5, -4, 5, -4, 5, 69]
    np.testing.assert_array_equal(fired, level > 0)


def test_rows_of_time_steps():
    neuron = Neuron(4, np.array([[10, 11], [21, 20]]))
    assert [a.tolist() for a in neuron.at(1)] == [[21, 20], [10, 10]]
    assert [a.tolist() for a in Neuron(4, np.array([[10, 11]]), rounding="floor").at(3)] == [[10, 11], [0, 0]]


def test_parameters_are_read_only_copies():
    threshold = np.array([[5, 6]])
    neuron = Neuron(np.int64(4), threshold)
    threshold[:] = 0
    assert neuron.threshold.tolist() == [[5, 6]]
    assert type(neuron.levels) is int
    with pytest.raises(ValueError, match=r"^assignment destination is read-only$"):
        neuron.threshold[0, 0] = 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"levels": 0}, r"^Neuron levels D must be 1\.\.255, not 0$"),
        ({"levels": 256}, r"^Neuron levels D must be 1\.\.255, not 256$"),
        ({"levels": 4.0}, r"^Neuron levels D must be 1\.\.255, not 4\.0$"),
        ({"levels": True}, r"^Neuron levels D must be 1\.\.255, not True$"),
        ({"threshold": np.array([[3, 0]])}, r"^Threshold must be at least 1, not 0$"),
        ({"threshold": np.array([[3, -7]])}, r"^Threshold must be at least 1, not -7$"),
        ({"threshold": np.array([3])}, r"^Threshold must have 2 dimensions, not shape \(1,\)$"),
        ({"threshold": np.array([[3.0]])}, r"^Threshold must hold integers, not float64$"),
        ({"threshold": np.array([[1 << 60]])}, r"^Threshold must fit 51 bits, not \d+\.\.\d+$"),
        ({"threshold": np.array([[1 << 63]], np.uint64)}, r"^Threshold must fit 51 bits, not "),
        ({"rounding": "even"}, r"^Rounding must be one of 'half_up', 'half_even', 'floor', not 'even'$"),
        ({"reset": "hard"}, r"^Reset must be one of 'subtract', 'zero', 'scale', 'none', not 'hard'$"),
        ({"reset": "scale"}, r"^Reset 'scale' must come with a reset factor, but has none$"),
        (
            {"factor": ShiftSum(())},
            r"^A reset factor must come with reset 'scale', not with 'subtract'$",
        ),
        ({"fire_floor": np.array([1])}, r"^Fire floor must have shape \(2,\), not \(1,\)$"),
        ({"membrane_bits": 3}, r"^Membrane bits must be 4\.\.48, not 3$"),
        ({"membrane_bits": 49}, r"^Membrane bits must be 4\.\.48, not 49$"),
        ({"membrane_bits": 8.0}, r"^Membrane bits must be 4\.\.48, not 8\.0$"),
    ],
)
def test_wrong_parameters_are_refused(change, message):
    with pytest.raises(ModelError, match=message):
        Neuron(**{"levels": 4, "threshold": np.array([[5, 6]])} | change)
