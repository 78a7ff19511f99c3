import dataclasses
import importlib.util
import json
from pathlib import Path

import pytest

from spikefold.errors import InputError, MissingToolError, ToolError
from spikefold.flow.artefact import Artefact, Clock
from spikefold.flow.run import ToolTimeoutError
from spikefold.flow.tools import Tool
from spikefold_boards import SynthResult, count_multipliers, synth, synthesize
from spikefold_boards.fpgas import Fpga
from spikefold_boards.place_and_route import Placement


def test_design_with_block_ram_fits_ecp5(counter: Artefact, tmp_path: Path) -> None:
    steps: list[str] = []
    result = synthesize(
        counter,
        "ecp5-85k",
        use_cache=False,
        seed=3,
        seeds=2,
        progress=steps.append,
    )
    assert result.fits
    assert result.reason is None
    assert (result.bram, result.dsp, result.multipliers) == (1, 0, 0)
    assert result.ff == 9  # the counter; `value` went into the block RAM's output register
    assert 9 <= result.lut <= 30
    assert result.fmax_mhz is not None
    assert result.fmax_mhz > 100
    assert result.critical_path[0].startswith("from ")
    assert "ns to" in result.critical_path[1]
    assert result.seed in (3, 4)
    assert not result.harness
    assert steps == ["elaborating", "mapping to ecp5-85k", "placing and routing on ecp5-85k"]
    assert SynthResult.from_json(json.loads(json.dumps(result.to_json()))) == result
    assert str(tmp_path) not in json.dumps(result.to_json())


def test_a_faster_grade_is_faster(counter: Artefact) -> None:
    usual, fast = (synthesize(counter, "ecp5-25k", use_cache=False, speed=speed) for speed in (None, 8))
    assert (usual.part, fast.part) == ("LFE5U-25F-6CABGA381", "LFE5U-25F-8CABGA381")
    assert usual.fmax_mhz is not None
    assert fast.fmax_mhz is not None
    assert fast.fmax_mhz > usual.fmax_mhz


def test_second_call_reads_the_cache_until_it_is_damaged_or_an_image_changes(
    counter: Artefact, tmp_path: Path
) -> None:

    def run() -> SynthResult:
        return synthesize(counter, "ice40-up5k", cache=tmp_path / "cache")

    first, second = run(), run()
    assert (first.cached, second.cached) == (False, True)
    assert second == dataclasses.replace(first, cached=True)
    (path,) = (tmp_path / "cache").rglob("result.json")
    path.write_text(path.read_text()[:-20])
    assert not run().cached  # a damaged result is computed anew
    assert run().cached
    with (counter.images[0]).open("r+") as image:
        image.write("ff")
    assert not run().cached


def test_xc7_has_resources_but_no_clock_frequency(counter: Artefact) -> None:
    result = synthesize(counter, "xc7", use_cache=False)
    assert result.fits
    assert (result.fmax_mhz, result.critical_path, result.seed) == (None, (), None)
    assert (result.bram, result.dsp, result.multipliers) == (1, 0, 0)
    assert result.lut > 0
    assert result.ff >= 17
    assert list(result.tools) == ["yosys"]


def test_multiplier_is_found_before_and_after_mapping(product: Artefact) -> None:
    assert count_multipliers(product) == 1
    result = synthesize(product, "ecp5-25k", use_cache=False)
    assert result.dsp == 1
    assert result.multipliers == 2


@pytest.mark.parametrize(
    ("expression", "count"),
    [("a * b", 1), ("a * 4", 0), ("a + b", 0), ("a / b", 1), ("a % 3", 1), ("(a << 2) - b", 0)],
)
def test_multiplier_count_of_an_expression(tmp_path: Path, expression: str, count: int) -> None:
    verilog = tmp_path / "expression.v"
    verilog.write_text(
        f"module leaf(input [7:0] a, input [7:0] b, output [7:0] y); assign y = {expression}; endmodule\n"
        "module top(input [7:0] a, input [7:0] b, output [7:0] x, output [7:0] y);\n"
        "leaf first(a, b, x); leaf second(x, b, y); endmodule\n"
    )
    assert count_multipliers(Artefact((verilog,), "top")) == 2 * count


def test_multiplier_count_needs_no_images(counter: Artefact) -> None:
    assert count_multipliers(counter) == 0


def test_design_larger_than_the_device_does_not_fit(tmp_path: Path) -> None:
    verilog = tmp_path / "large.v"
    verilog.write_text(
        "module large(input clk, input [31:0] a, input [31:0] b, output reg y);\n"
        "reg [6015:0] s;\n"
        "always @(posedge clk) begin s <= {s, a, b}; y <= ^s[6015:5952]; end\n"
        "endmodule\n"
    )
    result = synthesize(Artefact((verilog,), "large"), "ice40-up5k", use_cache=False)
    assert not result.fits
    assert result.reason is not None
    assert result.reason.startswith("ICESTORM_LC: needs 6")
    assert result.reason.endswith(", the device has 5280")
    assert result.harness  # 66 port bits, 36 pins
    assert (result.fmax_mhz, result.critical_path) == (None, ())
    assert result.lut > 6000
    assert result.ff > 6000


def test_design_with_more_ports_than_pins_is_placed_in_a_harness(tmp_path: Path) -> None:
    verilog = tmp_path / "wide.v"
    verilog.write_text(
        "module wide(input clk, input rst, input [23:0] a, output reg [23:0] y);\n"
        "always @(posedge clk) y <= rst ? 0 : y + a;\n"
        "endmodule\n"
    )
    result = synthesize(Artefact((verilog,), "wide"), "ice40-up5k", use_cache=False)
    assert result.fits
    assert result.harness
    assert result.ff == 24 + 24 + 2 * 24  # sum, stimulus, captured and mixed response
    assert result.fmax_mhz is not None


def test_syntax_error_ends_in_the_tools_own_words(tmp_path: Path) -> None:
    verilog = tmp_path / "broken.v"
    verilog.write_text("module broken(input a, output b\nassign b = a;\nendmodule\n")
    with pytest.raises(
        ToolError,
        match=r"\AProgram 'yosys' must end without an error, but ended with code 1:\n"
        r"(?:.*\n)*broken\.v:2: ERROR: syntax error.*\Z",
    ):
        synthesize(Artefact((verilog,), "broken"), "xc7", use_cache=False)


def test_missing_image_ends_in_an_error(counter: Artefact) -> None:
    (counter.images[0]).unlink()
    with pytest.raises(ToolError, match=r"Can not open file `mem/counter\.mem`"):
        synthesize(counter, "xc7", use_cache=False)


def test_a_yosys_that_hangs_is_ended_and_named(product: Artefact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synth, "find_tool", lambda name: Tool(name, ("/bin/sh", "-c", "echo busy; sleep 60")))
    message = r"\AProgram 'yosys' must end within 0\.5 s, but was still running .*:\nbusy\Z"
    with pytest.raises(ToolTimeoutError, match=message):
        synthesize(product, "xc7", use_cache=False, timeout=0.5)


def test_limit_and_clock_reach_place_and_route(product: Artefact, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    genuine = synth.place_and_route

    def noted(tool: Tool, device: Fpga, seeds: range, folder: Path, *rest: float) -> Placement:
        seen.append(rest)
        return genuine(tool, device, seeds, folder, *rest)

    monkeypatch.setattr(synth, "place_and_route", noted)
    aimed = dataclasses.replace(product, clock=Clock(mhz=40.0))
    assert synthesize(aimed, "ice40-hx8k", use_cache=False, timeout=1000).router == "router1"
    assert seen == [(40.0, 1000)]


def test_missing_tool_says_how_to_install_it(product: Artefact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        MissingToolError, match=r"\AYosys must be installed, .* pip install \"spikefold\[synth\]\"\Z"
    ):
        count_multipliers(product)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "ecp5"}, r"\ADevice must be one of ecp5-85k, .*, xc7, not 'ecp5'\Z"),
        ({"speed": 6}, r"\ASpeed grade of xc7 must be left out, as there is only one, not 6\Z"),
        ({"device": "ecp5-25k", "speed": 5}, r"\ASpeed grade of ecp5-25k must be 6 or 7 or 8, not 5\Z"),
        ({"seed": -1}, r"\ASeed must be a non-negative integer, not -1\Z"),
        ({"seeds": 0}, r"\ANumber of seeds must be a positive integer, not 0\Z"),
        ({"timeout": 0}, r"\ALimit of time must be a positive number of seconds, not 0\Z"),
    ],
)
def test_bad_argument_is_refused(product: Artefact, arguments: dict[str, object], message: str) -> None:
    good = {"device": "xc7", "use_cache": False}
    with pytest.raises(InputError, match=message):
        synthesize(product, **(good | arguments))  # type: ignore[arg-type]
