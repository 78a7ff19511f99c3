"""The Verilog: the same bytes every time, no multiplier, ports and header as documented, no X in Icarus."""

import hashlib
import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from amaranth.back import rtlil, verilog
from amaranth.hdl import Module, Signal
from layer_samples import contents_of, random_network, run_network

from spikefold.ir import Dense, Input, Network, Neuron, Population, ShiftSum
from spikefold_hw.emit import count_multipliers, emit, top_name
from spikefold_hw.streaming.architecture import ARCHITECTURE
from spikefold_hw.streaming.network import NetworkTop
from spikefold_hw.streaming.outside import samples_under_way
from spikefold_hw.streaming.planning import plan_of

MULTIPLIERS = re.compile(r"cell \$(mul|div|mod|divfloor|modfloor|pow|macc)")


def featured_network(seed=0):
    """Two steps, leak, reset factor, cap, weight sets; every seed gives the same plan."""
    rng = np.random.default_rng(seed)

    def rows(low, high, shape):
        values = rng.integers(low, high, shape)
        values[:, 0], values[:, 1] = low, high - 1
        return values

    def population(name, source, channels, inputs, neuron):
        weight = np.broadcast_to(np.linspace(-8, 7, inputs).astype(int), (2, channels, inputs))
        weight = rng.permuted(weight, axis=2)
        return Population(name, (Dense(source, weight, 4),), rows(-100, 100, (2, channels)), 1, neuron)

    leak, factor = ShiftSum(((1, 0), (-1, 3))), ShiftSum(((1, 1),))
    first = Neuron(5, rows(1, 200, (2, 6)), reset="scale", leak=leak, factor=factor, membrane_bits=9)
    second = Neuron(4, rows(1, 200, (1, 5)), rounding="floor", reset="zero", fire_floor=np.arange(5))
    return Network(
        Input((7,), 16),
        2,
        (
            population("hidden", "input", 6, 7, first),
            population("second", "hidden", 5, 6, second),
            population("readout", "second", 3, 5, None),
        ),
        name="featured",
    )


def featured_plan(seed=0):
    network = featured_network(seed)
    return plan_of(network, {"hidden": 4, "second": 5, "readout": 2}, {"input": "naf", "hidden": "unary"})


def emitted(plan):
    """The Verilog files of a plan by name."""
    return emit(NetworkTop(plan), plan.name, ARCHITECTURE.describe(plan)).verilog


@pytest.fixture(scope="module")
def files():
    return emitted(featured_plan())


def shapes_in(texts):
    """Modules of memories that the core instantiates."""
    return set(re.findall(r"^  (spikefold_\w+_\d+x\d+) ", texts["featured_core.v"], re.MULTILINE))


def test_files_and_names(files):
    assert top_name("featured") == "featured_top"
    assert set(files) == {"featured_top.v", "featured_core.v"} | {f"{name}.v" for name in shapes_in(files)}
    for name, text in files.items():
        assert re.search(rf"^module {name.removesuffix('.v')} ?#?\(", text, re.MULTILINE)
        assert text.startswith("// ")


def test_one_module_for_all_memories_of_a_shape(files):
    plan = featured_plan()
    memories = ARCHITECTURE.cost(plan).memories
    images = {size.name for stage in plan.stages for size in stage.image_sizes()}
    kinds = {name: "rom" if name in images else "ram" for name in memories}
    shapes = {f"spikefold_{kinds[n]}_{w}x{rows}" for n, (w, rows) in memories.items()}
    assert shapes_in(files) == shapes | {f"spikefold_file_1x{samples_under_way(plan)}"}
    used = re.findall(r"^  spikefold_r[oa]m_\w+ ", files["featured_core.v"], re.MULTILINE)
    assert len(used) == len(memories) > len(shapes)
    assert "memory" not in "".join(re.findall(r"^module .*", files["featured_core.v"], re.MULTILINE))


def test_text_is_the_same_in_every_process(files):
    """Also with another order of hashes."""
    script = (
        "import hashlib, sys; sys.path[:0] = sys.argv[1:]; import test_emit as t\n"
        "for name, text in sorted(t.emitted(t.featured_plan()).items()):\n"
        "    print(name, hashlib.sha256(text.encode()).hexdigest())"
    )
    here = Path(__file__).parent
    for hash_seed in ("1", "2", "3"):
        result = subprocess.run(
            [sys.executable, "-c", script, *map(str, (here, here.parent, here.parents[1] / "sw"))],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert result.stdout.splitlines() == [
            f"{name} {hashlib.sha256(text.encode()).hexdigest()}" for name, text in sorted(files.items())
        ]


def test_text_does_not_depend_on_the_weights(files):
    other, plan = featured_network(1), featured_plan(1)
    assert plan == featured_plan(0)
    assert contents_of(other, plan) != contents_of(featured_network(0), plan)
    assert emitted(plan) == files


def test_every_memory_reads_its_own_file(files):
    plan = featured_plan()
    sizes = {(s.name, s.width, s.depth) for stage in plan.stages for s in stage.image_sizes()}
    core = files["featured_core.v"]
    found = set()
    for width, depth, text in re.findall(r"spikefold_rom_(\d+)x(\d+) #\((.*?)\n  \)", core, re.DOTALL):
        values = dict(re.findall(r"\.(\w+)\((.*?)\)", text))
        assert values["MEM_DIR"] == "MEM_DIR"
        found.add((values["FILE"].strip('"').removesuffix(".mem"), int(width), int(depth)))
    assert found == sizes
    assert "@MEM_DIR@" not in core


def test_folder_of_the_images_reaches_every_module_that_needs_it(files):
    core = files["featured_core.v"]
    modules = {text.split("(")[0].split(" ")[0]: text for text in re.split(r"(?m)^module ", core)[1:]}
    with_parameter = {
        name for name, text in modules.items() if text.startswith(f"{name} #(parameter MEM_DIR")
    }
    handed = set(re.findall(r"^  (featured_\w+) #\(\.MEM_DIR\(MEM_DIR\)\) \w+ \(", core, re.MULTILINE))
    assert with_parameter == handed | {"featured_core"} < set(modules)
    for name, text in modules.items():
        needs = ".FILE(" in text or any(f"  {below} #(.MEM_DIR" in text for below in with_parameter)
        assert needs == (name in with_parameter), name
    top = files["featured_top.v"]
    assert 'parameter MEM_DIR = "mem"' in top
    assert "featured_core #(.MEM_DIR(MEM_DIR)) core (" in top


def test_no_name_is_escaped_and_no_wire_is_empty(files):
    for text in files.values():
        assert "\\" not in text
        assert "[-1:0]" not in text


def test_registers_have_the_names_of_the_source(files):
    """Also those that two assignments in one line once left without."""
    core = files["featured_core.v"]
    for name in ("started", "cycles", "block", "following", "emptied", "leaving", "word"):
        assert re.search(rf"^  reg (\[\d+:0\] )?{name} = ", core, re.MULTILINE), name
    assert "signal" not in core


def test_nothing_waits_for_a_first_change(files):
    """`always @*` does not run at time 0 where no input changes: Icarus would leave its outputs X."""
    for text in files.values():
        assert "@*" not in text.replace(" ", "")


def test_header_tells_design_plan_parameters_and_counters(files):
    plan = featured_plan()
    lines = files["featured_top.v"].split("module ")[0].splitlines()
    assert all(line.startswith("//") and len(line) <= 110 for line in lines)
    header = " ".join(line.removeprefix("//").strip() for line in lines)
    text = json.dumps(ARCHITECTURE.to_json(plan), sort_keys=True)
    for part in (
        "featured_top: a spiking neural network from 7x1x1 inputs to 3 classes in 2 time steps",
        "Architecture: streaming",
        f"Plan (SHA-256): {hashlib.sha256(text.encode()).hexdigest()}",
        f"Written by spikefold {metadata.version('spikefold')}",
        "MEM_DIR: folder of the memory images",
        "X__valid and X__ready are both 1 at the rising edge",
        "0: cycles[32], clock cycles since the first beat of the input; wraps around 1: samples[32], ",
        "2: events_input[32], events of 'input', no bare marks; wraps around 3: events_hidden[32], ",
        "5: saturations_hidden[32], membranes of 'hidden' that were clipped; wraps around 6: violations[4], ",
        "7: violations_index[16], broken samples whose first wrong beat has an index that is not below ",
    ):
        assert part in header
    assert not re.search(r"/(home|tmp|work|usr)/|20\d\d-\d\d", "".join(files.values()))


def test_every_port_says_what_it_means(files):
    top = files["featured_top.v"]
    ports = re.findall(r"^  (?:input|output) wire [^/]*?(\w+),? *(//.*)?$", top, re.MULTILINE)
    assert {name for name, meaning in ports if not meaning} == {"i__ready", "o__ready"}


def test_ports_of_the_top(files):
    ports = re.findall(r"^  ((?:input|output) wire .*?),? *(?://.*)?$", files["featured_top.v"], re.MULTILINE)
    bits = featured_plan().layers[-1].widths.membrane
    assert ports == [
        "input wire clk",
        "input wire rst",
        "input wire i__valid",
        "output wire i__ready",
        "input wire [2:0] i__payload__index",
        "input wire [4:0] i__payload__level",
        "input wire i__payload__end_position",
        "input wire i__payload__end_step",
        "input wire i__payload__end_sample",
        "output wire o__valid",
        "input wire o__ready",
        "output wire o__payload__error",
        f"output wire signed [{bits - 1}:0] o__payload__logit",
        "output wire [1:0] o__payload__index",
        "output wire [1:0] o__payload__winner",
        "output wire o__payload__last",
        "input wire [3:0] counter_select",
        "output wire [31:0] counter_value",
    ]


def test_design_holds_no_multiplication(files):
    assert count_multipliers(files) == 0
    assert not MULTIPLIERS.search(rtlil.convert(NetworkTop(featured_plan()), emit_src=False))


@pytest.mark.parametrize("seed", range(4))
def test_random_design_holds_no_multiplication(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, steps=1 + seed % 2, static=True)
    plan = plan_of(network, dict.fromkeys(("layer0", "layer1", "readout"), 3), {"input": "naf"})
    assert count_multipliers(emitted(plan)) == 0
    assert not MULTIPLIERS.search(rtlil.convert(NetworkTop(plan), emit_src=False))


@pytest.mark.parametrize("operation", ["*", "//", "%"])
def test_search_for_multipliers_would_find_one(operation):
    m, a, b, c = Module(), Signal(4), Signal(4), Signal(8)
    m.d.comb += c.eq({"*": a * b, "//": a // b, "%": a % b}[operation])
    assert MULTIPLIERS.search(rtlil.convert(m, ports=[a, b, c], emit_src=False))
    text = verilog.convert(m, ports=[a, b, c], emit_src=False)
    assert count_multipliers({"m.v": text}) >= 1
    assert count_multipliers({"m.v": "assign x = a ** b;", "n.v": "assign y = a * b;"}) == 2


def test_comments_attributes_and_strings_are_no_multipliers():
    text = '(* top = 1 *)\nalways @* begin /* a * b */ x <= {d, "/", e}; end // a % b'
    assert count_multipliers({"m.v": text}) == 0


def smallest_network(steps):
    """Every memory has one row."""
    one = np.ones((1, 1, 1), int)
    neuron = Neuron(3, np.ones((1, 1), int))
    return Network(
        Input((1,), 1),
        steps,
        (
            Population("hidden", (Dense("input", one, 2),), np.zeros((1, 1), int), 0, neuron),
            Population("readout", (Dense("hidden", one, 1),), np.full((1, 1), 5)),
        ),
    )


@pytest.mark.parametrize("steps", [1, 2])
def test_memories_of_one_row_have_an_address(steps):
    files = emitted(plan_of(smallest_network(steps), {"hidden": 1, "readout": 1}, {}))
    core = files["network_core.v"]
    instances = re.findall(r"  (spikefold_(rom|ram|file)_\w+) (.*?)\n  \);", core, re.DOTALL)
    assert len(instances) == 7 + 3 * (steps > 1)
    for module, kind, text in instances:
        assert len(re.findall(r"\.\w*address\([^)]", text)) == (1 if kind == "rom" else 2)
        assert not re.search(r"\[-1:0\]", files[f"{module}.v"])


BENCH = """\
module bench;
  reg clk = 0, rst = 1, valid = 0;
  wire ready, o_valid, last, index, winner;
  wire signed [{bits}:0] logit;
  wire [31:0] value;
  always #5 clk = ~clk;
  network_top top (
    .clk(clk), .rst(rst), .i__valid(valid), .i__ready(ready), .i__payload__index(1'b0),
    .i__payload__level(1'b1), .i__payload__end_position(1'b1), .i__payload__end_step(1'b1),
    .i__payload__end_sample(1'b1), .o__valid(o_valid), .o__ready(1'b1), .o__payload__logit(logit),
    .o__payload__index(index), .o__payload__winner(winner), .o__payload__last(last),
    .counter_select(4'd0), .counter_value(value));
  initial begin #22 rst = 0; valid = 1; @(negedge clk) while (!ready) @(negedge clk); #9 valid = 0; end
  initial #3000 $finish;
  always @(posedge clk) if (!rst && o_valid !== 0) $display("%b %0d %b", o_valid, logit, winner);
endmodule
"""


@pytest.mark.icarus
@pytest.mark.parametrize("standard", ["-g2005", "-g2012"])
@pytest.mark.parametrize("steps", [1, 2])
def test_smallest_network_runs_in_icarus_without_x(tmp_path, steps, standard):
    network = smallest_network(steps)
    plan = plan_of(network, {"hidden": 1, "readout": 1}, {})
    for name, words in contents_of(network, plan).items():
        (tmp_path / "mem").mkdir(exist_ok=True)
        (tmp_path / "mem" / f"{name}.mem").write_text("".join(f"{word:x}\n" for word in words))
    files = {**emitted(plan), "bench.v": BENCH.format(bits=plan.layers[-1].widths.membrane - 1)}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    subprocess.run(["iverilog", standard, "-s", "bench", "-o", "bench", *files], cwd=tmp_path, check=True)
    result = subprocess.run(["vvp", "bench"], cwd=tmp_path, capture_output=True, text=True, check=True)
    logit = run_network(network, np.ones((1, 1, 1), int)).logits[0, 0]
    results = [line for line in result.stdout.splitlines() if line.startswith(("1 ", "x "))]
    assert set(results) == {f"1 {logit} 0"}
