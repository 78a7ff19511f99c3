"""Boards: their pins, the constraints, the top, and the project of a vendor's tool."""

import importlib.util
import re
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
from board_case import ROWS, echo, host

from spikefold.errors import InputError, MissingToolError
from spikefold.flow.artefact import Artefact
from spikefold.flow.run import run
from spikefold.flow.tools import find_tool
from spikefold_boards.boards.bitstream import Options, bitstream
from spikefold_boards.boards.board import BOARDS, Board, find_board
from spikefold_boards.boards.pll import fastest
from spikefold_boards.boards.top import Clocked, board_verilog, hold_cycles
from spikefold_boards.boards.vivado import write_project

PINS = {  # oscillator, button, rx, tx, MHz
    "ulx3s-85f": ("G2", "R1", "M1", "L4", 25),
    "ulx3s-25f": ("G2", "R1", "M1", "L4", 25),
    "orangecrab": ("A9", "J17", "N17", "M18", 48),
    "icebreaker": ("35", "10", "6", "9", 12),
    "ice40-hx8k-b-evn": ("J3", None, "B10", "B12", 12),
    "tang-nano-9k": ("52", "3", "18", "17", 27),
    "tang-nano-20k": ("4", "88", "70", "69", 27),
    "arty-a7-35t": ("E3", "C2", "A9", "D10", 100),
}


def clocked(board: Board, mhz: float = 60) -> Clocked:
    return Clocked(
        board.family,
        board.pins,
        fastest(board.family.settings(board.pins.mhz), mhz, board.family.middle),
    )


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_pins_are_those_of_the_board(board: Board) -> None:
    oscillator, button, rx, tx, mhz = PINS[board.name]
    pins = board.pins
    assert (pins.oscillator.site, pins.rx.site, pins.tx.site) == (oscillator, rx, tx)
    assert (None if pins.reset is None else pins.reset.site) == button
    assert pins.mhz == Fraction(mhz)


@pytest.mark.parametrize(
    ("name", "file", "lines"),
    [
        (
            "ulx3s-85f",
            "board.lpf",
            [
                'LOCATE COMP "rx" SITE "M1";',
                'IOBUF PORT "rx" IO_TYPE=LVCMOS33;',
                'FREQUENCY PORT "oscillator" 25.000000 MHZ;',
                'IOBUF PORT "button" IO_TYPE=LVCMOS33 PULLMODE=DOWN;',
            ],
        ),
        ("orangecrab", "board.lpf", ['IOBUF PORT "rx" IO_TYPE=LVCMOS33 PULLMODE=UP;']),
        (
            "icebreaker",
            "board.pcf",
            ["set_io -pullup yes rx 6", "set_io button 10", "set_frequency oscillator 12.000000"],
        ),
        (
            "tang-nano-9k",
            "board.cst",
            ['IO_LOC "tx" 17;', 'IO_PORT "tx" PULL_MODE=UP;', 'IO_PORT "tx" IO_TYPE=LVCMOS33;'],
        ),
        (
            "tang-nano-20k",
            "board.sdc",
            ["create_clock -name oscillator -period 37.037037 [get_ports {oscillator}]"],
        ),
        (
            "arty-a7-35t",
            "board.xdc",
            [
                "set_property PACKAGE_PIN A9 [get_ports rx]",
                "set_property IOSTANDARD LVCMOS33 [get_ports rx]",
                "create_clock -name oscillator -period 10.000000 [get_ports oscillator]",
            ],
        ),
    ],
)
def test_constraints_are_the_vendors(name: str, file: str, lines: list[str]) -> None:
    board = find_board(name)
    text = board.family.constraints(board.pins)[file]
    assert set(lines) <= set(text.splitlines())


def test_unknown_board_is_refused() -> None:
    with pytest.raises(InputError, match=r"\ABoard must be one of ulx3s-85f, .*, arty-a7-35t, not 'ulx3s'\Z"):
        find_board("ulx3s")


def test_missing_list_of_boards_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    fresh = Board("a", "b", BOARDS["icebreaker"].fpga, BOARDS["icebreaker"].family, "c:d", 1)
    with pytest.raises(MissingToolError, match=r"needs the package 'amaranth_boards'.*spikefold\[boards\]"):
        _ = fresh.pins


BENCH = """
`timescale 1ns/1ps
module SB_PLL40_PAD #(parameter FEEDBACK_PATH = "", DIVR = 0, DIVF = 0, DIVQ = 0, FILTER_RANGE = 0)(
  input PACKAGEPIN, input RESETB, input BYPASS, output PLLOUTGLOBAL, output reg LOCK);
  assign PLLOUTGLOBAL = PACKAGEPIN;  // a clock of 60 MHz from the bench
  initial begin LOCK = 0; #1000 LOCK = 1; end
endmodule
module shown(input clk, input rst, input rx, output tx);
  assign tx = rst;
endmodule
module bench;
  reg oscillator = 0, button = 1;
  wire tx;
  always #8.3333 oscillator = ~oscillator;
  shown_harness dut(.oscillator(oscillator), .button(button), .rx(1'b1), .tx(tx));
  always @(tx) $display("%0d ns: reset %b", $rtoi($realtime), tx);
  initial begin #60000 button = 0; #3 button = 1; #60000 $finish; end
endmodule
"""


@pytest.mark.icarus
def test_reset_lasts_from_its_cause_to_the_end_of_the_hold(tmp_path: Path) -> None:
    """With the lock after 1 us, and a button that is pressed for 3 ns at 60 us, between two edges."""
    (tmp_path / "shown.v").write_text("// in the bench\n")
    clocking = clocked(BOARDS["icebreaker"])
    text = board_verilog(Artefact((tmp_path / "shown.v",), "shown"), clocking)
    (tmp_path / "board.v").write_text(text)
    (tmp_path / "bench.v").write_text(BENCH)
    (build,) = find_tool("icarus").command
    subprocess.run([build, "-g2012", "-o", "bench", "bench.v", "board.v"], cwd=tmp_path, check=True)
    done = subprocess.run(["vvp", "bench"], cwd=tmp_path, check=True, capture_output=True, text=True)
    times = [(int(a), int(b)) for a, b in re.findall(r"(\d+) ns: reset (\d)", done.stdout)]
    assert [level for _, level in times] == [0, 1, 0]  # it is 1 from the start
    (first, again, last) = (time for time, _ in times)
    hold = hold_cycles(clocking.setting) * 1000 / 60
    assert 20_000 <= hold < 40_000
    assert 1000 + hold <= first < 1000 + hold + 100
    assert 60_000 <= again < 60_050
    assert 60_003 + hold <= last < 60_003 + hold + 100


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_top_has_the_boards_pins_and_no_others(board: Board, tmp_path: Path) -> None:
    text = board_verilog(echo(tmp_path), clocked(board))
    header = text.split("module ", 2)[1].split(");")[0].split("(")[1]
    assert {name.strip() for name in header.split(",")} == {pin.port for pin in board.pins.all}
    assert ("~ button" in text) == (board.pins.reset is not None and board.pins.reset.inverted)


STUB = """
module PLLE2_BASE #(parameter CLKIN1_PERIOD = 0, DIVCLK_DIVIDE = 1, CLKFBOUT_MULT = 5, CLKOUT0_DIVIDE = 1)(
  input CLKIN1, input CLKFBIN, input RST, input PWRDWN, output CLKFBOUT, output CLKOUT0, output LOCKED);
  assign CLKFBOUT = CLKIN1;
  assign CLKOUT0 = CLKIN1 & CLKFBIN;
  assign LOCKED = ~RST & ~PWRDWN;
endmodule
"""


def test_project_for_vivado_is_whole_and_lints(tmp_path: Path) -> None:
    found = write_project("echo", host, BOARDS["arty-a7-35t"], tmp_path / "out")
    out = tmp_path / "out"
    assert (found.file, found.clock_mhz, found.synthesis.fits) == ("project.tcl", 100.0, True)
    assert found.synthesis.bram == 1
    script = (out / "project.tcl").read_text()
    assert "-part xc7a35ticsg324-1L" in script
    assert "set_property top echo_harness" in script
    assert (out / "mem" / "echo.mem").read_text().split() == [f"{row:02x}" for row in ROWS]
    (out / "stub.v").write_text(STUB)
    files = ("rtl/board.v", "rtl/echo.v", "stub.v")
    options = ("--lint-only", "--timing", "-Wno-DECLFILENAME", "-Wno-MULTITOP", '-GMEM_DIR="mem"')
    run(find_tool("verilator"), (*options, "--top-module", "echo_harness", *files), out)


def test_a_board_for_a_vendors_tool_has_no_bitstream(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\ABoard must be one that open tools serve, not 'arty-a7-35t'"):
        bitstream("echo", host, BOARDS["arty-a7-35t"], tmp_path / "out", baud=9600)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mhz": 0}, r"\AClock frequency must be a positive number of MHz, not 0\Z"),
        ({"seeds": 0}, r"\ANumber of seeds must be a positive integer, not 0\Z"),
        ({"timeout": -1}, r"\ALimit of time must be a positive number of seconds, not -1\Z"),
    ],
)
def test_bad_option_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Options(**options)  # type: ignore[arg-type]
