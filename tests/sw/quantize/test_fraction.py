"""`F`: fine enough that bias, leak and thresholds are not what errs most, and no finer."""

import numpy as np
import pytest
import torch
from folded_reference import as_tensors, evaluate

from spikefold.fold import FoldedDense, FoldedNetwork, FoldedNeuron, FoldedPopulation
from spikefold.golden import Golden
from spikefold.ir import Input
from spikefold.quantize import quantize
from spikefold.quantize.fraction import choose_fractions, for_thresholds
from spikefold.quantize.grid import choose_grids

CHANNELS = 64


def network(kind, *, fan=64, levels=4, steps=4, leak=0.9, threshold=1.0, top=1, binary=False, seed=0):
    """One layer of random weights and a readout."""
    rng = np.random.default_rng(seed)
    weight = rng.normal(0, 1, (1, CHANNELS, fan))
    if binary:
        weight = np.sign(weight) * rng.uniform(0.5, 2, (1, CHANNELS, 1))
    spread = rng.uniform(0.7, 1.3, (steps, CHANNELS)) if kind == "pit" else np.ones((1, CHANNELS))
    rounding, reset = ("half_up", "subtract") if kind == "pit" else ("floor", "scale")
    factor = 0.37 if kind == "qblif" else None
    neuron = FoldedNeuron(threshold * spread, levels, rounding, reset, leak, factor)
    bias = rng.normal(0, 0.3, CHANNELS)
    hidden = FoldedPopulation(
        "layer0", (FoldedDense("input", weight, binary=binary),), bias, neuron, ("dense", "neuron")
    )
    head = FoldedDense("layer0", rng.normal(0, 1, (1, 4, CHANNELS)))
    readout = FoldedPopulation("readout", (head,), rng.normal(0, 1, 4), None, ("head", "out"))
    return as_tensors(FoldedNetwork(Input((fan,), top), steps, (hidden, readout), "net"))


def chosen(folded, bits, capped=False):
    """`F` for thresholds alone, and the one that is taken."""
    grids = choose_grids(folded, bits, 8, "max")
    hidden = folded.populations[0]
    alone = for_thresholds(hidden.neuron.threshold / grids["layer0"].scale)
    return alone, choose_fractions(folded, grids, capped)["layer0"]


def wrong_levels(folded, bits, fraction, active=0.1, samples=400):
    """Share of levels that differ from those of the real numbers."""
    rng = np.random.default_rng(1)
    size, top = folded.input.shape[0], folded.input.levels
    x = rng.integers(1, top + 1, (samples, size)) * (rng.random((samples, size)) < active)
    whole, _ = quantize(folded, weight_bits=bits, fractions={"layer0": fraction})
    levels = whole.input.encode(x, whole.steps)
    real = evaluate(folded, levels)[1]["layer0"].numpy()
    return float((Golden(whole).run(levels, record=True).levels["layer0"].reshape(real.shape) != real).mean())


@pytest.mark.parametrize(
    ("smallest", "fraction"),
    [
        (1000.0, 0),
        (32.0, 0),
        (31.6, 0),
        (31.4, 1),
        (16.0, 1),
        (15.7, 2),
        (1.0, 5),
        (0.125, 8),
        (0.124, 8),
        (1e-9, 8),
    ],
)
def test_thresholds_are_at_least_32(smallest, fraction):
    assert for_thresholds(torch.tensor([[500.0, smallest]], dtype=torch.float64)) == fraction


def test_finer_units_where_rounding_in_the_membrane_is_what_errs():
    """QB-LIF over four steps: with 8 bits thresholds alone ask for F = 0."""
    folded = network("qblif", levels=15)
    found = {bits: chosen(folded, bits) for bits in range(2, 9)}
    assert found[8] == (0, 3)
    assert all(after == before for before, after in (found[bits] for bits in (2, 3, 4, 5)))
    before, after = (wrong_levels(folded, 8, fraction) for fraction in found[8])
    assert after < 0.8 * before
    assert after < 1.1 * wrong_levels(folded, 8, 8)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize(
    "options",
    [
        {"kind": "pit", "steps": 1, "top": 16},
        {"kind": "pit", "steps": 1, "threshold": 4.0, "fan": 784, "top": 16},
        {"kind": "pit", "steps": 4, "top": 16},
    ],
)
def test_no_finer_where_rounded_weights_err_far_more(options, bits):
    folded = network(**options)
    before, after = chosen(folded, bits)
    assert after == before
    assert wrong_levels(folded, bits, after, 0.5) < 1.1 * wrong_levels(folded, bits, 8, 0.5)


def test_exact_weights_leave_nothing_but_the_membrane_to_err():
    folded = network("qblif", binary=True, fan=2048, threshold=40.0)
    before, after = chosen(folded, 4)
    assert before < after < 8
    assert wrong_levels(folded, 4, after, 0.5) < 0.7 * wrong_levels(folded, 4, before, 0.5)


def test_one_step_needs_less_than_four():
    """Without a step before there is no leak and no reset factor to round."""
    one, four = (chosen(network("qblif", steps=steps, fan=16), 8)[1] for steps in (1, 4))
    assert one < four


def test_a_leak_of_one_is_not_rounded():
    held, leaking = (chosen(network("pit", leak=leak, fan=100, levels=1), 8)[1] for leak in (1.0, 0.9))
    assert held < leaking


def test_a_capped_membrane_keeps_its_range():
    folded = network("qblif", levels=15)
    assert chosen(folded, 8, capped=True) == (0, 0)
    whole, _ = quantize(folded, weight_bits=8, membrane_bits=16)
    assert whole.populations[0].fraction == 0
    assert quantize(folded, weight_bits=8)[0].populations[0].fraction == 3


def test_a_readout_has_none():
    folded = network("qblif")
    assert choose_fractions(folded, choose_grids(folded, 8, 8, "max"), False)["readout"] == 0
