"""Random designs equal the golden model bit for bit, and the cycle model cycle for cycle."""

import dataclasses
from itertools import product

import numpy as np
import pytest
from failed_seeds import CHAINS, GRAPHS
from random_designs import random_design, random_graph_design

from spikefold_hw.emit import count_multipliers
from spikefold_hw.parts.moves import Moves
from spikefold_hw.streaming.window.event_buffer import EventBuffer


def _check(seed, simulator, stall, make=random_design):
    design, x = make(seed)
    assert count_multipliers(design.verilog()) == 0
    result = design.verify(x, simulator=simulator, stall=stall, seed=seed)
    assert result.first is None, f"design {seed}: {result.first}"
    assert result.mismatches == 0
    assert result.cycle_exact is (None if stall else True), f"design {seed}"
    assert result.samples == len(x)


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("seed", [*range(12), *CHAINS])
def test_chain(seed, stall):
    _check(seed, "amaranth", stall)


@pytest.mark.parametrize("seed", [3, 20, 21])
def test_chain_in_verilator(seed):
    _check(seed, "verilator", 0.0)
    _check(seed, "verilator", 0.3)


@pytest.mark.parametrize(
    ("seed", "stall"),
    [
        *((seed, 0.0 if seed % 3 else 0.4) for seed in range(15)),
        *product(GRAPHS, (0.0, 0.4)),
    ],
)
def test_graph(seed, stall):
    """Any kernel, stride, padding, groups, pool, sum, shortcut, T, D, lanes, Q, coding, order; loaded."""
    _check(seed, "amaranth", stall, random_graph_design)


@pytest.mark.slow
@pytest.mark.new_seeds(60, *CHAINS)
def test_new_chain(new_seed):
    _check(new_seed, "amaranth", 0.0)


@pytest.mark.slow
@pytest.mark.new_seeds(20, *CHAINS)
def test_new_chain_in_verilator(new_seed):
    _check(new_seed, "verilator", 0.0)
    _check(new_seed, "verilator", 0.6)


@pytest.mark.slow
@pytest.mark.new_seeds(100, *GRAPHS)
def test_new_graph(new_seed):
    _check(new_seed, "amaranth", 0.0, random_graph_design)


@pytest.mark.slow
@pytest.mark.new_seeds(40, *GRAPHS)
def test_new_graph_under_stalls(new_seed):
    _check(new_seed, "amaranth", 0.5, random_graph_design)


@pytest.mark.slow
@pytest.mark.parametrize(
    "simulator", ["native", "verilator", pytest.param("icarus", marks=pytest.mark.icarus)]
)
@pytest.mark.new_seeds(5, *GRAPHS)
def test_new_graph_in_verilator_and_icarus(new_seed, simulator):
    _check(new_seed, simulator, 0.3 if simulator == "verilator" else 0.0, random_graph_design)


@pytest.mark.slow
@pytest.mark.parametrize("make", [random_design, random_graph_design])
@pytest.mark.parametrize("seed", range(4))
def test_no_multiplier_after_synthesis(seed, make):
    design, _ = make(seed)
    for device in ("ecp5-25k", "ice40-up5k", "xc7"):
        result = design.synth(device)
        assert (result.multipliers, result.dsp) == (0, 0), device


@pytest.mark.parametrize("make", [random_design, random_graph_design])
def test_random_designs_exercise_back_pressure(monkeypatch, make):
    """Stages of the seeds above do wait for each other: the harder half of the cycle model is tested."""
    delays, hold = [], Moves.hold

    def counted(self, move, cycle):
        delays.append(cycle - self.at(move))
        hold(self, move, cycle)

    monkeypatch.setattr(Moves, "hold", counted)
    for seed in range(12):
        design, x = make(seed)
        design.cycles(x)
    assert sum(delay > 0 for delay in delays) > 10


@pytest.mark.parametrize("make", [random_design, random_graph_design])
def test_wrong_prediction_is_noticed(monkeypatch, make):
    design, x = make(3)
    monkeypatch.setattr(EventBuffer, "latency", EventBuffer.latency + 1)
    assert design.verify(x, simulator="amaranth").cycle_exact is False


def test_wrong_memory_is_named():
    """A design whose memory differs from the golden model's network in one bias is caught."""
    design, x = random_design(3)
    readout = design.network.readout
    bias = readout.bias.copy()
    bias[:, 2] -= np.sign(bias[:, 2])
    stages = (*design.network.stages[:-1], dataclasses.replace(readout, bias=bias))
    spoiled = dataclasses.replace(design, network=dataclasses.replace(design.network, stages=stages))
    spoiled.__dict__["_golden"] = _Fixed(design.golden(x, record=True))
    first = spoiled.verify(x, simulator="amaranth").first
    assert (first.sample, first.layer, first.channel) == (0, "logits", 2)
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
