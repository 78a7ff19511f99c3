import numpy as np
import pytest

from spikefold.errors import InputError
from spikefold_sim.stalls import INPUT, LOAD, OUTPUT, Stalls, StallTable


def test_frequency_and_independence():
    stalls = Stalls(input=0.25, output=0.6, seed=7)
    first, second = stalls.pattern(INPUT, 0, 200_000), stalls.pattern(OUTPUT, 0, 200_000)
    assert abs(first.mean() - 0.25) < 0.01
    assert abs(second.mean() - 0.6) < 0.01
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.01
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.01


def test_loading_stalls_as_often_as_the_input_and_otherwise():
    stalls = Stalls(input=0.25, output=0.6, seed=7)
    first, second = stalls.pattern(INPUT, 0, 200_000), stalls.pattern(LOAD, 0, 200_000)
    assert abs(second.mean() - 0.25) < 0.01
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.01


def test_zero_never_stalls():
    assert not Stalls().pattern(INPUT, 0, 10_000).any()


def test_the_seed_chooses_the_pattern():
    def pattern(seed):
        return Stalls(0.5, 0.5, seed).pattern(INPUT, 0, 1000)

    assert (pattern(1) == pattern(1)).all()
    assert (pattern(1) != pattern(2)).any()


def test_the_table_agrees_with_the_pattern_across_chunks():
    stalls = Stalls(0.5, 0.5, (1 << 64) - 1)
    table = StallTable(stalls, OUTPUT)
    cycles = [*range(65_500, 65_600), 0, 3, 200_000]
    assert [table(cycle) for cycle in cycles] == [int(stalls.pattern(OUTPUT, c, 1)[0]) for c in cycles]


@pytest.mark.parametrize("probability", [-0.1, 1.0, float("nan")])
def test_impossible_probabilities_are_refused(probability):
    with pytest.raises(
        InputError, match=r"^Stall probability of the output must be at least 0 and below 1, not"
    ):
        Stalls(output=probability)


def test_impossible_seeds_are_refused():
    with pytest.raises(InputError, match=r"^Stall seed must be 0 to 2\^64 - 1, not -1$"):
        Stalls(seed=-1)
