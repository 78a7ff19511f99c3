"""An architecture is a folder and one line of registration: a toy runs the whole road."""

import json

import numpy as np
import pytest

import spikefold
from spikefold.errors import BuildError, InputError, ModelError
from spikefold.ir import Dense, Input, Network, Population
from spikefold_hw.architectures import ARCHITECTURES, config_of, find_architecture
from spikefold_hw.emit import count_multipliers

INPUTS, CLASSES, LEVELS = 9, 4, 3


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, "toy", "toy_architecture")


def network(seed=0, steps=1):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-8, 8, (1, CLASSES, INPUTS))
    readout = Population("readout", (Dense("input", weight, 4),), rng.integers(-20, 20, (1, CLASSES)))
    return Network(Input((INPUTS,), LEVELS), steps, (readout,), "tiny")


def samples(seed=0, count=12):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, LEVELS + 1, (count, INPUTS)) * (rng.random((count, INPUTS)) < 0.6)
    x[1], x[2] = 0, LEVELS
    return x


def compiled(seed=0, **options):
    return spikefold.compile(network(seed), name="tiny", architecture="toy", calibration=samples(), **options)


def test_a_toy_is_verified_like_any_other():
    design, x = compiled(), samples(1)
    assert (design.plan.architecture, design.summary["architecture"]) == ("toy", "toy")
    result = design.verify(x, simulator="amaranth")
    assert (result.mismatches, result.cycle_exact, result.samples) == (0, True, len(x))
    stalled = design.verify(x, simulator="amaranth", stall=0.4, seed=2)
    assert stalled.mismatches == 0
    assert count_multipliers(design.verilog()) == 0


def test_a_toy_is_written_loaded_and_simulated(tmp_path):
    design, x = compiled(guard=2), samples(2)
    design.write(tmp_path / "build")
    manifest = json.loads((tmp_path / "build" / "manifest.json").read_text())
    assert (manifest["architecture"], manifest["plan"]["classes"]) == ("toy", CLASSES)
    again = spikefold.load(tmp_path / "build")
    assert again.plan == design.plan
    assert again.plan.sum_bits == compiled().plan.sum_bits + 2
    np.testing.assert_array_equal(again.simulate(x).logits, design.golden(x).logits)
    assert again.verify(x, simulator="native").passed


def test_a_wrong_prediction_of_a_toy_is_noticed(monkeypatch):
    design = compiled()
    truth = design.architecture.predict
    monkeypatch.setattr(design.architecture, "predict", lambda plan, levels: late(truth(plan, levels)))
    assert not design.verify(samples(), simulator="amaranth").passed


def late(cycles):
    cycles.results[-1] += 1
    return cycles


def test_another_network_fits_a_toy_or_is_refused():
    fitted = spikefold.compile(network(5), fit_to=compiled(guard=8))
    assert fitted.plan == compiled(guard=8).plan
    with pytest.raises(ModelError, match=r"^The toy must have one dense readout"):
        spikefold.compile(network(steps=2), architecture="toy")


def test_choices_are_those_of_the_architecture():
    with pytest.raises(InputError, match=r"^Choice 'lanes' of compile is unknown; known: weight_bits"):
        compiled(lanes=4)
    with pytest.raises(InputError, match=r"^Choice 'gard' of compile is unknown; did you mean 'guard'[?]$"):
        compiled(gard=4)
    assert config_of("toy")(guard=1) == find_architecture("toy").config(guard=1)


def test_unknown_architectures_are_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"^Architecture must be one of streaming, toy, not 'none'$"):
        spikefold.compile(network(), architecture="none")
    compiled().write(tmp_path / "build")
    monkeypatch.delitem(ARCHITECTURES, "toy")
    with pytest.raises(BuildError, match="Architecture must be one of streaming, not 'toy'"):
        spikefold.load(tmp_path / "build")
