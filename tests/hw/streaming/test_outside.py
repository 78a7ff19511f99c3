"""The outside of a pipeline: room for the tickets of all samples that its stages can hold."""

import numpy as np
from random_plans import random_plan

from spikefold_hw.parts.ledger import MARGIN
from spikefold_hw.streaming.outside import _held, samples_under_way


def test_the_ledger_is_never_full():
    """Else it would hold back samples that the cycle model sees begin."""
    tight = 0
    for seed in range(60):
        _, plan = random_plan(np.random.default_rng([9, seed]), neurons=80, edge=5)
        held, rows = sum(map(_held, plan.stages)), samples_under_way(plan)
        assert rows & (rows - 1) == 0
        assert held < rows - MARGIN
        tight += rows != 1 << held.bit_length()
    assert tight  # plans whose samples alone would need fewer rows
