import math

import numpy as np
import pytest

from spikefold.analysis import LevelStatistics


def test_known_distributions():
    uniform = LevelStatistics(np.full((3, 8), 5))
    assert uniform.entropy == pytest.approx(3)
    assert uniform.max_entropy == pytest.approx(3)
    assert (uniform.effective, uniform.activity, uniform.mean, uniform.rate) == (8, 7 / 8, 3.5, 0.5)
    silent = LevelStatistics(np.array([[10, 0, 0]]))
    assert (silent.entropy, silent.effective, silent.activity, silent.rate) == (0, 1, 0, 0)
    coin = LevelStatistics(np.array([[30, 10]]))
    assert coin.entropy == pytest.approx(2 - 0.75 * math.log2(3))


def test_always_firing_at_the_top():
    full = LevelStatistics(np.array([[0, 0, 7]]))
    assert (full.activity, full.mean, full.rate, full.entropy) == (1, 2, 1, 0)


def test_steps():
    found = LevelStatistics(np.array([[4, 0, 0, 0], [1, 1, 1, 1]]))
    assert found.activity_by_step.tolist() == [0, 0.75]
    assert found.mean_by_step.tolist() == [0, 1.5]
    assert found.mean == 0.75
    assert found.rate == 0.25


def test_a_level_is_effective_above_one_percent():
    assert LevelStatistics(np.array([[988, 11, 1]])).effective == 2
    assert LevelStatistics(np.array([[990, 10, 0]])).effective == 1


def test_json():
    fields = LevelStatistics(np.array([[3, 1]])).to_json()
    assert fields["sparsity"] == 1 - fields["activity"] == 0.75
    assert fields["level_counts"] == [[3, 1]]
    assert all(isinstance(value, float | int | list) for value in fields.values())
