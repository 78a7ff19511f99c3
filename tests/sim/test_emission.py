"""The Verilog as it is shipped: no warning of Verilator, and right whatever was chosen for memories."""

from dataclasses import replace

import pytest
from amaranth.hdl import Fragment
from random_designs import random_design, random_graph_design

from spikefold.flow.run import run
from spikefold.flow.tools import find_tool
from spikefold_hw.emit import LINT
from spikefold_hw.emit.memories import VerilogPlatform
from spikefold_hw.memory_choice import choose_memories


def lint(design, folder):
    """What `verilator --lint-only -Wall` says of a design with its waivers."""
    design.write(folder)
    files = sorted(str(path.relative_to(folder)) for path in (folder / "rtl").iterdir())
    arguments = ("--lint-only", "-Wall", "--quiet", LINT, "--top-module", f"{design.name}_top", *files)
    return run(find_tool("verilator"), arguments, folder, timeout=300, check=False).output


def plain(seed, make):
    return make(seed)[0]


def loaded(seed, make):
    design = make(seed)[0]
    return replace(design, plan=replace(design.plan, loaded=True))


@pytest.mark.parametrize("seed", [0, 3, 4, 5, 8, 10, 11, 14])
def test_no_warning(tmp_path, seed):
    """Several steps and units, pools, sums, skips, groups, codings."""
    assert lint(plain(seed, random_graph_design), tmp_path / "build") == ""


@pytest.mark.parametrize(("seed", "make"), [(3, random_graph_design), (2, random_design)])
def test_no_warning_of_loaded_memories(tmp_path, seed, make):
    assert lint(loaded(seed, make), tmp_path / "build") == ""


def test_lint_would_find_what_no_waiver_names(tmp_path):
    design = plain(3, random_graph_design)
    design.write(tmp_path / "build")
    core = design._emission.verilog[f"{design.name}_core.v"]
    spoiled = core.replace("  assign probe_", "  wire open, copy;\n  assign copy = open;\n  assign probe_", 1)
    spoiled = spoiled.replace("input clk;", "input clk;\n  reg late;\n  always @(posedge clk) late = rst;", 1)
    texts = {**design._emission.verilog, f"{design.name}_core.v": spoiled}
    design.__dict__["_emission"] = replace(design._emission, verilog=texts)
    found = lint(design, tmp_path / "spoiled")
    assert "BLKSEQ" in found
    assert "UNDRIVEN" in found


def chosen(design, styles, macros):
    plan = design.plan
    images = {size.name for stage in plan.stages for size in stage.image_sizes()}
    memories = choose_memories(styles, macros, design.architecture.cost(plan).memories, images)
    return replace(design, plan=replace(plan, memories=memories))


@pytest.mark.icarus
@pytest.mark.parametrize("make", [plain, loaded])
def test_choices_and_macros_change_nothing_but_the_text(make):
    """Macros run as their stand-ins, which are behavioural."""
    samples = random_graph_design(3)[1]
    design = chosen(
        make(3, random_graph_design),
        "block,*_parameter=distributed+single,*_weight*=single",
        "*_state=my_state,*_weight*=my_weights,*_line_cells=my_state",
    )
    assert {"my_state.v", "my_weights.v"} == set(design._emission.models)
    result = design.verify(samples, simulator="icarus")
    assert (result.mismatches, result.cycle_exact) == (0, True)


def test_every_memory_has_the_name_that_the_plan_knows():
    """So that a choice for any memory arrives."""
    for seed in range(12):
        design = chosen(plain(seed, random_graph_design), "*=block", "")
        plan, architecture = design.plan, design.architecture
        known = list(architecture.cost(plan).memories)
        assert [choice.name for choice in plan.memories] == known
        platform = VerilogPlatform(plan.memories)
        Fragment.get(architecture.top(plan), platform)
        platform.check_all_used()
        assert all(name.endswith("_block") or "_file_" in name for name in platform.modules)
