"""The Verilog: the same bytes every time, no multiplier, ports as documented, and no X in Icarus."""

import hashlib
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from amaranth.back import rtlil, verilog
from amaranth.hdl import Module, Signal
from layer_samples import contents_of, random_network, run_network

from spikefold.ir import Dense, Input, Network, Neuron, Population, ShiftSum
from spikefold_hw.emit import count_multipliers, emit, top_name
from spikefold_hw.parts.images import memory_images
from spikefold_hw.streaming.network import NetworkTop
from spikefold_hw.streaming.planning import plan_of

MULTIPLIERS = re.compile(r"cell \$(mul|div|mod|divfloor|modfloor|pow|macc)")


def featured_network(seed=0):
    """Two steps, leak, reset factor, cap, weight sets; every seed gives the same profile."""
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


def featured_profile(seed=0):
    network = featured_network(seed)
    return plan_of(network, {"hidden": 4, "second": 5, "readout": 2}, {"input": "naf", "hidden": "unary"})


@pytest.fixture(scope="module")
def files():
    return emit(featured_profile())


def test_files_and_names(files):
    assert sorted(files) == ["featured_core.v", "featured_top.v", "spikefold_ram.v", "spikefold_rom.v"]
    assert top_name(featured_profile()) == "featured_top"
    for name, text in files.items():
        assert re.search(rf"^module {name.removesuffix('.v')} #\($", text, re.MULTILINE) or "_core" in name


def test_text_is_the_same_in_every_process(files):
    """Also with another order of hashes."""
    script = (
        "import hashlib, sys; sys.path.insert(0, sys.argv[1]); import test_verilog as t\n"
        "for name, text in sorted(t.emit(t.featured_profile()).items()):\n"
        "    print(name, hashlib.sha256(text.encode()).hexdigest())"
    )
    folder = __file__.rpartition("/")[0]
    for hash_seed in ("1", "2", "3"):
        result = subprocess.run(
            [sys.executable, "-c", script, folder],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert result.stdout.splitlines() == [
            f"{name} {hashlib.sha256(text.encode()).hexdigest()}" for name, text in sorted(files.items())
        ]


def test_text_does_not_depend_on_the_weights(files):
    other = featured_network(1)
    profile = featured_profile(1)
    assert profile == featured_profile(0)
    assert contents_of(other, profile) != contents_of(featured_network(0), profile)
    assert emit(profile) == files


def test_every_memory_reads_its_own_file(files):
    profile = featured_profile()
    names = {
        name: (image.width, len(image.data))
        for layer in profile.layers
        for name, image in memory_images(featured_network(), layer).items()
    }
    core = files["featured_core.v"]
    roms = re.findall(r"spikefold_rom #\((.*?)\) rom \(", core, re.DOTALL)
    found = {}
    for text in roms:
        values = dict(re.findall(r"\.(\w+)\((?:32'd)?(.*?)\)", text))
        assert values["MEM_DIR"] == "MEM_DIR"
        found[values["FILE"].strip('"').removesuffix(".mem")] = (int(values["WIDTH"]), int(values["DEPTH"]))
    assert found == names
    assert "@MEM_DIR@" not in core


def test_folder_of_the_images_reaches_every_module(files):
    core = files["featured_core.v"]
    modules = re.findall(r"^module (\w+)", core, re.MULTILINE)
    assert len(modules) == len(
        re.findall(r'^module \w+ #\(parameter MEM_DIR = "mem"\) \(', core, re.MULTILINE)
    )
    used = re.findall(rf"^\s+({'|'.join(modules)}) #\(\.MEM_DIR\(MEM_DIR\)\) \S+ \(", core, re.MULTILINE)
    assert sorted(used) == sorted(set(modules) - {"featured_core"})
    top = files["featured_top.v"]
    assert 'parameter MEM_DIR = "mem"' in top
    assert "featured_core #(.MEM_DIR(MEM_DIR)) core (" in top


def test_ports_of_the_top(files):
    ports = re.findall(r"^  ((?:input|output) wire .*?),?$", files["featured_top.v"], re.MULTILINE)
    bits = featured_profile().layers[-1].widths.membrane
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
        f"output wire signed [{bits - 1}:0] o__payload__logit",
        "output wire [1:0] o__payload__index",
        "output wire [1:0] o__payload__winner",
        "output wire o__payload__last",
        "input wire [2:0] counter_select",
        "output wire [31:0] counter_value",
    ]


def test_design_holds_no_multiplication(files):
    assert count_multipliers(files) == 0
    assert not MULTIPLIERS.search(rtlil.convert(NetworkTop(featured_profile()), emit_src=False))


@pytest.mark.parametrize("seed", range(4))
def test_random_design_holds_no_multiplication(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, steps=1 + seed % 2, static=True)
    profile = plan_of(network, dict.fromkeys(("layer0", "layer1", "readout"), 3), {"input": "naf"})
    assert count_multipliers(emit(profile)) == 0
    assert not MULTIPLIERS.search(rtlil.convert(NetworkTop(profile), emit_src=False))


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
    profile = plan_of(smallest_network(steps), {"hidden": 1, "readout": 1}, {})
    core = emit(profile)["network_core.v"]
    instances = re.findall(r"spikefold_(rom|ram) #\((.*?)\n  \);", core, re.DOTALL)
    assert len(instances) == 6 + 3 * (steps > 1)
    for kind, text in instances:
        assert ".ADDRESS(32'd0)" not in text
        assert len(re.findall(r"\.\w*address\(\S", text)) == (1 if kind == "rom" else 2)


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
    .counter_select(2'd0), .counter_value(value));
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
    profile = plan_of(network, {"hidden": 1, "readout": 1}, {})
    for name, words in contents_of(network, profile).items():
        (tmp_path / "mem").mkdir(exist_ok=True)
        (tmp_path / "mem" / f"{name}.mem").write_text("".join(f"{word:x}\n" for word in words))
    files = {**emit(profile), "bench.v": BENCH.format(bits=profile.layers[-1].widths.membrane - 1)}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    subprocess.run(["iverilog", standard, "-s", "bench", "-o", "bench", *files], cwd=tmp_path, check=True)
    result = subprocess.run(["vvp", "bench"], cwd=tmp_path, capture_output=True, text=True, check=True)
    logit = run_network(network, np.ones((1, 1, 1), int)).logits[0, 0]
    results = [line for line in result.stdout.splitlines() if line.startswith(("1 ", "x "))]
    assert set(results) == {f"1 {logit} 0"}
