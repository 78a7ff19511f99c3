"""Memories beside the gates: which are black boxes, how they are timed, how their accesses are counted."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

import spikefold
from spikefold import nn
from spikefold.design import Design
from spikefold_boards.asic.activity import Switching
from spikefold_boards.asic.memories import memory_modules
from spikefold_boards.asic.synth import gate_level
from spikefold_sim.stalls import Stalls

pytestmark = pytest.mark.cells


@pytest.fixture(scope="module")
def loaded() -> Design:
    """A network whose weights a host loads, into macros."""
    torch.manual_seed(3)
    model = nn.models.mlp(16, [8], 4, neuron="pit", levels=4, input_levels=4)
    return spikefold.compile(
        model.eval(), name="loaded", weight_bits=4, lanes=4, weights="loaded", macro={"*_weight*": "MYRAM"}
    )


def test_files_of_one_memory_each_are_known(loaded):
    with loaded.artefact() as artefact:
        modules = memory_modules(artefact)
    kinds = {module.name.partition("_")[2].rpartition("_")[0] for module in modules.values()} - {""}
    assert kinds == {"ram", "file"}
    assert not any("core" in name or "top" in name for name in modules)
    macro = next(module for module in modules.values() if module.name == "MYRAM")
    assert not macro.small(1 << 30)
    assert "rows" not in macro.stub
    (file,) = (module for module in modules.values() if "_file_" in module.name)
    assert file.small(0)  # it is read in the same cycle, as no macro is


def test_macros_are_counted_by_their_parameters_and_loaded(loaded):
    x = np.random.default_rng(1).integers(0, 5, (3, 16))
    with loaded.artefact() as artefact, gate_level(artefact, "nangate45") as gates:
        memories = {memory.name: memory for memory in gates.result.memories}
        assert {memory.module for name, memory in memories.items() if "weight" in name} == {"MYRAM"}
        assert gates.result.memory_bits == loaded.summary["memory_bits"]
        runs = replace(loaded.runs, artefact=lambda: nullcontext(gates.artefact))
        seen = runs.run("icarus", loaded.beats(loaded.encode(x)), Stalls(0.1, 0.1, 2)).seen
    assert (seen.logits == loaded.golden(x).logits).all()


@pytest.mark.slow
def test_accesses_are_those_of_the_run_without_the_load(loaded, tmp_path):
    x = np.random.default_rng(1).integers(0, 5, (20, 16))
    trace = tmp_path / "activity.saif"
    with loaded.artefact() as artefact, gate_level(artefact, "nangate45") as gates:
        runs = replace(loaded.runs, artefact=lambda: nullcontext(gates.artefact))
        runs.native(loaded.beats(loaded.encode(x)), Stalls(), trace=trace)
        switching = Switching.read(trace, "TOP/sim_top/dut")
    for memory in gates.result.memories:
        reads, writes = switching.accesses(memory.cell)
        assert 0 < reads <= switching.cycles + 1  # a net that begins high counts one too many
        assert (writes > 0) == ("event" in memory.name)  # what a host loads was written before
