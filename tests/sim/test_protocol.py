"""Damaged samples and damaged loads through whole designs: nothing else is spoilt, all is counted."""

from dataclasses import replace

import numpy as np
import pytest
from random_designs import random_design, random_graph_design

from spikefold.errors import InputError

REPEATS = 12


def fuzzed(design, x, **options):
    found = design.fuzz(np.concatenate([x] * REPEATS), **options)
    assert found.passed, found
    assert sum(found.faults.values()) > REPEATS
    return found


@pytest.mark.parametrize(
    ("make", "seed"),
    [
        (random_design, 1),
        (random_design, 5),
        (random_graph_design, 0),
        pytest.param(random_graph_design, 7, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("stall", [0.0, 0.3])
def test_damaged_samples_spoil_nothing_else(make, seed, stall):
    design, x = make(seed)
    design.plan = replace(design.plan, tag_bits=seed)
    found = fuzzed(design, x, seed=seed, stall=stall, simulator="amaranth")
    assert found.broken
    assert sum(found.causes.values()) >= found.broken


def test_damaged_loads_are_found():
    """The frames that follow load the memories, and load them again while samples come."""
    seed = next(k for k in range(40) if random_graph_design(k)[0].plan.loaded)
    for again in range(3):
        design, x = random_graph_design(seed)
        fuzzed(design, x, seed=again, stall=0.2, simulator="amaranth")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_damaged_samples_in_verilator(seed):
    design, x = random_graph_design(seed)
    fuzzed(design, x, seed=seed, stall=0.1 * (seed % 3))


def test_only_designs_with_checks_can_be_fuzzed():
    design, x = random_design(1)
    design.plan = replace(design.plan, checks=False)
    with pytest.raises(
        InputError, match=r"^Design 'random1' must check its input to be fuzzed; compile with"
    ):
        design.fuzz(x)
    with pytest.raises(InputError, match=r"^Share of broken samples must be 0 to 1, not 2$"):
        random_design(1)[0].fuzz(x, share=2)
