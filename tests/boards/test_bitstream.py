"""Bitstreams of a small design: packed, read back, cached, replaced in one step, refused."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from board_case import ROWS, host, unpacker

from spikefold.errors import ToolError
from spikefold.flow.artefact import Artefact
from spikefold.flow.run import run
from spikefold.flow.work import work_folder
from spikefold_boards.boards import bitstream as module
from spikefold_boards.boards.bitstream import Options, bitstream
from spikefold_boards.boards.board import BOARDS
from spikefold_boards.boards.result import BitstreamResult

ONES = sum(row.bit_count() for row in ROWS)


def ones_in_rams(text: str, head: str) -> int:
    """Bits that are set in the block RAMs of an unpacked bitstream."""
    sections = re.findall(rf"^\.{head} [^\n]*\n((?:[0-9a-f ]+\n)+)", text, re.MULTILINE)
    return sum(int(word, 16).bit_count() for section in sections for word in section.split())


def test_bitstream_holds_the_design_and_is_found_again(tmp_path: Path) -> None:
    """On an iCE40, whose unpacked bitstream must be what was placed, memory contents included."""
    board, out = BOARDS["icebreaker"], tmp_path / "out"
    steps: list[str] = []
    options = Options(mhz=48, progress=steps.append)
    found = bitstream("echo", host, board, out, options, cache=tmp_path / "cache", baud=9600)
    assert (found.file, found.clock_mhz, found.oscillator_mhz, found.rounds) == ("echo.bin", 48.0, 12.0, 1)
    assert found.synthesis.fits
    assert found.synthesis.bram == 1
    assert found.synthesis.fmax_mhz is not None
    assert found.synthesis.fmax_mhz > 49
    assert found.synthesis.utilization["ICESTORM_PLL"]["used"] == 1
    assert [step.split()[0] for step in steps] == ["elaborating", "mapping", "placing", "packing"]
    names = {
        "echo.bin",
        "echo.asc",
        "board.v",
        "board.pcf",
        "netlist.json",
        "bitstream.json",
        "contents.json",
    }
    assert {path.name for path in out.iterdir()} == names
    assert BitstreamResult.from_json(json.loads((out / "bitstream.json").read_text())) == found
    run(unpacker("iceunpack"), ("echo.bin", "back.asc"), out)
    back = (out / "back.asc").read_text()
    assert ones_in_rams(back, "ram_data") == ONES
    assert ones_in_rams((out / "echo.asc").read_text(), "ram_data") == ONES

    (out / "left.txt").write_text("of another build\n")
    again = bitstream("echo", host, board, out, Options(mhz=48), cache=tmp_path / "cache", baud=9600)
    assert again.synthesis.cached
    assert again == found.from_cache()
    assert {path.name for path in out.iterdir()} == names


@contextmanager
def large(hertz: int) -> Iterator[Artefact]:
    """More flip-flops than an iCE40 UP5K has."""
    with work_folder() as folder:
        (folder / "shifted.v").write_text(
            "module shifted(input clk, input rst, input rx, output tx);\n"
            "reg [6000:0] line; assign tx = line[6000];\n"
            "always @(posedge clk) line <= rst ? 0 : {line, rx};\nendmodule\n"
        )
        yield Artefact((folder / "shifted.v",), "shifted")


def test_a_design_that_does_not_fit_writes_nothing(tmp_path: Path) -> None:
    found = bitstream("shifted", large, BOARDS["icebreaker"], tmp_path / "out", use_cache=False, baud=9600)
    assert (found.file, found.clock_mhz, found.synthesis.fits) == (None, None, False)
    assert re.match(r"ICESTORM_LC: needs 6\d\d\d, the device has 5280\Z", found.synthesis.reason or "")
    assert not (tmp_path / "out").exists()


def fake_placement(monkeypatch: pytest.MonkeyPatch, achieved: list[float]) -> list[float]:
    """Let place and route tell of these frequencies, one after the other; the clocks that it was given."""
    clocks: list[float] = []

    def told(*arguments):
        clocks.append(round(arguments[4], 2))
        return replace(genuine(*arguments), fmax_mhz=achieved[len(clocks) - 1])

    genuine = module.place_and_route
    monkeypatch.setattr(module, "place_and_route", told)
    return clocks


@pytest.mark.parametrize(
    ("achieved", "clocks"),
    [
        ([41.0], [39.75]),  # met, and little to gain
        ([40.0, 40.0], [39.75, 37.5]),  # missed
        ([60.0, 58.0], [39.75, 56.25]),  # much to gain
        ([60.0, 55.0, 54.0], [39.75, 56.25, 51.0]),  # too much
    ],
)
@pytest.mark.slow
def test_the_clock_follows_what_was_achieved(
    achieved: list[float], clocks: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = fake_placement(monkeypatch, achieved)
    found = bitstream("echo", host, BOARDS["icebreaker"], tmp_path / "out", use_cache=False, baud=9600)
    assert given == clocks
    assert (found.clock_mhz, found.rounds) == (clocks[-1], len(clocks))


def test_a_clock_that_is_missed_is_an_error_that_names_a_better_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_placement(monkeypatch, [44.0])
    message = (
        r"\AClock of 45\.00 MHz must be met with 2% to spare on icebreaker, but place and route achieved "
        r"44\.0 MHz; try more seeds, or a clock of at most 41\.25 MHz\Z"
    )
    with pytest.raises(ToolError, match=message):
        bitstream(
            "echo", host, BOARDS["icebreaker"], tmp_path / "out", Options(mhz=45), use_cache=False, baud=9600
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_ecp5_bitstream_holds_the_design(tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = bitstream("echo", host, BOARDS["ulx3s-25f"], out, Options(mhz=100), use_cache=False, baud=9600)
    assert (found.file, found.clock_mhz, found.synthesis.bram) == ("echo.bit", 100.0, 1)
    run(unpacker("ecpunpack"), ("echo.bit", "back.config"), out)
    back, placed = ((out / name).read_text() for name in ("back.config", "echo.config"))
    assert ones_in_rams(back, "bram_init") == ones_in_rams(placed, "bram_init") == ONES
    assert re.findall(r"^enum: EHXPLL_[LR]{2}\.\w*MODE \w+", placed, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tang-nano-9k", "tang-nano-20k"])
def test_gowin_bitstream_holds_the_design(name: str, tmp_path: Path) -> None:
    found = bitstream(
        "echo", host, BOARDS[name], tmp_path / "out", Options(mhz=54), use_cache=False, baud=9600
    )
    assert (found.file, found.clock_mhz, found.synthesis.bram) == ("echo.fs", 54.0, 1)
    lines = (tmp_path / "out" / "echo.fs").read_text().splitlines()
    assert set("".join(line for line in lines if not line.startswith("//"))) == {"0", "1"}
