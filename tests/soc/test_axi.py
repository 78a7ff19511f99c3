"""The AXI host's Verilog against the golden model, driven by cocotbext-axi's masters."""

import os
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("cocotbext.axi")

from axi_job import check_counts, check_results, packets_of, run_job, words_of
from random_designs import random_design, random_graph_design

from spikefold.contents import load_frame
from spikefold.soc import AxiDesign
from spikefold_hw.host.axi.config import AxiConfig

LOADED = next(k for k in range(40) if random_graph_design(k)[0].plan.loaded)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Simulators are told by the environment; it is put back."""
    monkeypatch.setattr(os, "environ", os.environ.copy())


def check(made, config, folder, simulator, *, seed=0, stall=0.3, tag_bits=0, cut=False):
    design, x = made
    design.plan = replace(design.plan, tag_bits=tag_bits)
    axi = AxiDesign(design, config)
    packets = packets_of(axi, x, np.random.default_rng(seed))
    load = load_frame(design.images) if design.interface.loaded else b""
    found = run_job(axi, packets, folder, simulator, stall=stall, seed=seed, cut=cut, load=load)
    constants = dict(
        zip([r.name for r in axi.registers.registers], axi.registers.identification, strict=False)
    )
    assert {name: found["first"][name] for name in constants} == constants
    assert found["first"]["status"] == (0 if load else 1)
    for name in ("before", "after") if cut else ("before",):
        check_results(axi, x, packets, found[name]["results"])
    registers = found["before"]["registers"]
    check_counts(axi, packets, registers)
    assert registers.get("load_free", 1) == 1
    assert registers.get("loads_dropped", 0) == 0
    return axi, packets, found


CASES = {
    "dense": (random_design, 5, AxiConfig(bytes=8, result="logits"), 5),
    "narrow": (random_design, 5, AxiConfig(bytes=1), 0),
    "events": (random_design, 5, AxiConfig("events"), 3),
    "map": (random_graph_design, 0, AxiConfig(bytes=4, result="logits"), 0),
    "loaded": (random_graph_design, LOADED, AxiConfig(bytes=2), 7),
}


@pytest.mark.icarus
@pytest.mark.parametrize("name", ["dense"])
def test_results_are_golden_in_icarus(name, tmp_path):
    make, seed, config, tag_bits = CASES[name]
    check(make(seed), config, tmp_path, "icarus", seed=seed, tag_bits=tag_bits)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_results_are_golden_in_verilator(name, tmp_path):
    make, seed, config, tag_bits = CASES[name]
    for stall in (0.0, 0.4):  # of one compiled model
        check(make(seed), config, tmp_path, "verilator", seed=seed, stall=stall, tag_bits=tag_bits)


@pytest.mark.slow
def test_a_reset_in_a_packet_spoils_what_is_left_of_it(tmp_path):
    make, seed, config, _ = CASES["narrow"]
    _, _, found = check(make(seed), config, tmp_path, "verilator", seed=seed, cut=True)
    cut = found["reset"]
    assert cut["status"] >> 2 & 1
    assert cut["registers"]["samples"] == cut["registers"]["packets_short"] == 0
    assert words_of(cut["rest"][0])[-1] >> 16 == 1
    after = found["after"]["registers"]
    assert after["packets_short"] == found["before"]["registers"]["packets_short"] + 1
