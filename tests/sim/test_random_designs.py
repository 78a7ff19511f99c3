"""Random designs equal the golden model bit for bit, and the cycle model cycle for cycle."""

import dataclasses

import numpy as np
import pytest
from random_designs import random_design

from spikefold_hw import cycles
from spikefold_hw.verilog import count_multipliers


def _check(seed, simulator, stall):
    design, x = random_design(seed)
    assert count_multipliers(design.profile) == 0
    result = design.verify(x, simulator=simulator, stall=stall, seed=seed)
    assert result.first is None, f"design {seed}: {result.first}"
    assert result.mismatches == 0
    assert result.cycle_exact is (None if stall else True), f"design {seed}"
    assert result.samples == len(x)


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("seed", range(12))
def test_amaranth(seed, stall):
    _check(seed, "amaranth", stall)


@pytest.mark.parametrize("seed", [20, 21])
def test_verilator(seed):
    _check(seed, "verilator", 0.0)
    _check(seed, "verilator", 0.3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 160))
def test_amaranth_more(seed):
    _check(seed, "amaranth", 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 220))
def test_verilator_more(seed):
    _check(seed, "verilator", 0.0)
    _check(seed, "verilator", 0.6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_no_multiplier_after_synthesis(seed):
    design, _ = random_design(seed)
    for device in ("ecp5-25k", "ice40-up5k", "xc7"):
        result = design.synth(device)
        assert (result.multipliers, result.dsp) == (0, 0), device


def test_random_designs_exercise_back_pressure(monkeypatch):
    """Layers of the seeds above do wait for each other: the harder half of the cycle model is tested."""
    waits = []
    monkeypatch.setattr(cycles._Freezes, "add", _counting(cycles._Freezes.add, waits))
    for seed in range(12):
        design, x = random_design(seed)
        design.cycles(x)
    assert len(waits) > 10


def _counting(add, waits):
    def counted(self, start, end):
        waits.append(end - start)
        add(self, start, end)

    return counted


def test_wrong_prediction_is_noticed(monkeypatch):
    design, x = random_design(3)
    late = cycles.AccumulateCore.latency + 1
    monkeypatch.setattr(cycles.AccumulateCore, "latency", late)
    assert design.verify(x, simulator="amaranth").cycle_exact is False


def test_wrong_memory_is_named():
    """A design whose memory differs from the golden model's network in one bias is caught."""
    design, x = random_design(3)
    readout = design.network.readout
    bias = readout.bias.copy()
    bias[:, 2] -= np.sign(bias[:, 2])
    populations = (*design.network.populations[:-1], dataclasses.replace(readout, bias=bias))
    spoiled = dataclasses.replace(
        design, network=dataclasses.replace(design.network, populations=populations)
    )
    spoiled.__dict__["_golden"] = _Fixed(design.golden(x, record=True))
    first = spoiled.verify(x, simulator="amaranth").first
    assert (first.sample, first.layer, first.neuron) == (0, "logits", 2)
    assert first.expected != first.got


class _Fixed:
    """A golden model that keeps its answer."""

    def __init__(self, run):
        self._run = run

    def run(self, levels, record=False):
        return self._run


def test_intervals_and_latency_are_counts_of_cycles():
    design, x = random_design(7)
    timing = design.cycles(x)
    assert timing.starts[0] == 0
    assert timing.total == timing.results[-1] + 1
    assert timing.interval == pytest.approx(np.diff(timing.results).mean())
    assert 0 < timing.busiest.lane_use <= 1
