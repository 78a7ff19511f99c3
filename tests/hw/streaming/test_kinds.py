"""A kind of stage is a folder and one line of registration: a toy runs in a whole pipeline."""

import numpy as np
import pytest
from random_networks import random_weight
from toy_stage import Copy, WireStage

import spikefold
from spikefold.ir import Conv, Dense, Input, Network, Neuron, Population
from spikefold_hw.streaming.kinds import KINDS
from spikefold_hw.streaming.plan import Plan


@pytest.fixture(autouse=True)
def wire(monkeypatch):
    monkeypatch.setitem(KINDS, Copy, WireStage)


def network(copied, steps=2, static=True):
    """A convolution, a copy of it (or not), another that reads both, and a readout."""
    rng = np.random.default_rng(3)
    second = "copy" if copied else "layer0"
    stages = [
        _layer(rng, "layer0", ("input", 2)),
        *([Copy("copy", "layer0")] if copied else []),
        _layer(rng, "layer1", ("layer0", 5), (second, 5)),
        Population(
            "readout", (Dense("layer1", random_weight(rng, 4, (1, 3, 5 * 16)), 4),), np.zeros((1, 3), int)
        ),
    ]
    return Network(Input((2, 4, 4), 3, static), steps, tuple(stages))


def _layer(rng, name, *sources):
    projections = [
        Conv(source, random_weight(rng, 4, (1, 5, channels, 3, 3)), 4, padding=(1, 1))
        for source, channels in sources
    ]
    neuron = Neuron(3, rng.integers(10, 60, (1, 5)))
    return Population(name, tuple(projections), np.zeros((1, 5), int), 0, neuron)


@pytest.mark.parametrize("order", ["position_major", "step_major"])
def test_a_toy_stage_runs_in_a_pipeline(order):
    design = spikefold.compile(network(True), order=order, lanes=2)
    plain = spikefold.compile(network(False), order=order, lanes=2)
    x = np.random.default_rng(4).integers(0, 4, (3, 2, 4, 4))
    assert [stage.kind for stage in design.plan.stages] == ["layer", "wire", "layer", "layer"]
    result = design.verify(x, simulator="amaranth")
    assert (result.mismatches, result.cycle_exact, result.first) == (0, True, None)
    assert design.verify(x, simulator="amaranth", stall=0.3).mismatches == 0
    np.testing.assert_array_equal(design.golden(x).logits, plain.golden(x).logits)
    rows = {row["stage"]: row for row in design.info["calibration"]["pipeline"]["stages"]}
    assert (rows["copy"]["kind"], rows["copy"]["lanes"], rows["copy"]["luts"]) == ("wire", None, 0)


def test_a_toy_stage_is_in_the_manifest():
    plan = spikefold.compile(network(True), lanes=2).plan
    assert plan.to_json()["stages"][1]["kind"] == "wire"
    assert Plan.from_json(plan.to_json()) == plan
