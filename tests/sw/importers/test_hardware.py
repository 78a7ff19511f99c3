"""Imported networks as Verilog: equal to the golden model bit for bit, in every cycle."""

import pytest
from ann_networks import cases as ann
from nir_networks import cases as nir
from sj_networks import cases as spikingjelly
from snntorch_networks import cases as snntorch

import spikefold

CASES = {case.name: case for cases in (spikingjelly, snntorch, ann, nir) for case in cases()}


def verified(name: str, simulator: str, samples: int) -> None:
    case = CASES[name]
    imported, _ = case.run(4)
    design = spikefold.compile(imported.model, weight_bits=6, calibration=case.grid.random(8))
    x = case.grid.random(samples, seed=9).astype("float32")
    found = design.verify(x, simulator=simulator)
    assert found.passed, found


@pytest.mark.parametrize("name", ["leaky learnt", "leaky of channels, subtract"])
def test_the_late_reset_in_gateware(name):
    verified(name, "amaranth", 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("cnn if", "sew resnet ilif", "preact resnet ilif", "leaky mlp", "leaky cnn", "relu resnet"),
        *("leaky of channels, zero", "leaky of channels, none", "leaky of maps' channels"),
        *("mlp plif of channels", "time constants of channels"),
    ],
)
def test_imported_networks_in_verilog(name):
    verified(name, "verilator", 12)
