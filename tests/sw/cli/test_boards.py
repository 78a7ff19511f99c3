"""`spikefold boards` and `spikefold bitstream`; place and route is tried in tests/boards."""

import pytest
from cli_case import fields, invoke, model_file, refused

from spikefold import on_board
from spikefold.errors import InputError
from spikefold_boards.boards.board import BOARDS
from spikefold_boards.boards.result import BitstreamResult
from spikefold_boards.result import SynthResult


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("boards")
    options = ("-o", folder / "build", "-q", "--lanes", 2)
    assert invoke("compile", model_file(folder), *options).exit_code == 0
    return folder / "build"


def test_boards_are_listed_with_what_they_hold():
    found = fields(invoke("boards", "--json"))["boards"]
    assert [entry["board"] for entry in found] == list(BOARDS)
    by_name = {entry["board"]: entry for entry in found}
    assert by_name["icebreaker"]["luts"] == 5280
    assert by_name["icebreaker"]["block_ram_bits"] == 30 * 4096
    assert by_name["ulx3s-85f"]["oscillator_mhz"] == 25
    assert [name for name, entry in by_name.items() if not entry["bitstream"]] == ["arty-a7-35t"]
    assert "tang-nano-20k" in invoke("boards").stdout


def test_boards_tell_whether_a_design_fits_and_why_not(build, monkeypatch):
    found = {entry["board"]: entry for entry in fields(invoke("boards", build, "--json"))["boards"]}
    assert found["ulx3s-85f"]["fits"] is True
    assert found["ulx3s-85f"]["reason"] is None
    assert found["ulx3s-85f"]["luts_estimated"] > on_board.HOST_LUTS
    monkeypatch.setattr(on_board, "HOST_LUTS", 6000)
    found = {entry["board"]: entry for entry in fields(invoke("boards", build, "--json"))["boards"]}
    assert found["icebreaker"]["fits"] is False
    assert found["icebreaker"]["reason"].startswith("7 ")
    assert found["icebreaker"]["reason"].endswith(" LUTs of 5 280")
    assert "no: 7" in invoke("boards", build).stdout


def made(file):
    synthesis = SynthResult(
        device="ice40-up5k",
        part="iCE40UP5K-SG48",
        fits=file is not None,
        reason=None if file else "ICESTORM_LC: needs 6000, the device has 5280",
        lut=100,
        ff=50,
        bram=2,
        dsp=0,
        multipliers=0,
        fmax_mhz=51.0,
        critical_path=(),
        utilization={"ICESTORM_LC": {"used": 100, "available": 5280}},
        harness=False,
        seed=1,
        router="router1",
        seconds=12.0,
        cached=False,
        tools={},
    )
    return BitstreamResult("icebreaker", "net", 48.0 if file else None, 12.0, 1, file, synthesis)


@pytest.fixture
def asked(monkeypatch):
    """Stands in for place and route; what it was asked for."""
    calls = []

    def make(design, board, output, options, *, baud, use_cache):
        calls.append((design.name, board, output, options.mhz, options.seeds, baud, use_cache))
        return made(calls_file[0])

    calls_file = ["net.bin"]
    monkeypatch.setattr(on_board, "make_bitstream", make)
    return calls, calls_file


def test_bitstream_shows_clock_utilization_and_file(build, asked):
    calls, _ = asked
    options = ("--board", "icebreaker", "--mhz", 48, "--seeds", 2, "--baud", 2_000_000, "--no-cache")
    found = fields(invoke("bitstream", build, *options, "-o", build / "out", "--json"))
    (call,) = calls
    assert call[1:] == ("icebreaker", build / "out", 48.0, 2, 2_000_000, False)
    assert (found["clock_mhz"], found["fmax_mhz"], found["file"]) == (48.0, 51.0, "net.bin")
    assert found["utilization"] == {"ICESTORM_LC": {"used": 100, "available": 5280}}
    assert (found["baud"], found["output"]) == (2_000_000, str(build / "out"))
    shown = invoke("bitstream", build, "--board", "icebreaker").stdout
    assert "48.000 MHz, from 12 MHz" in shown
    assert "ICESTORM_LC" in shown
    assert "2%" in shown
    assert calls[1][2] == build.with_name("build-icebreaker")


def test_bitstream_that_does_not_fit_is_an_error(build, asked):
    asked[1][0] = None
    pattern = (
        r"Design .tiny. must fit iCEBreaker with iCE40UP5K, but it does not: ICESTORM_LC: needs 6000, "
        r"the device has 5280; `spikefold boards BUILD` tells which boards are larger$"
    )
    refused(invoke("bitstream", build, "--board", "icebreaker"), InputError.exit_code, pattern)


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        (["--board", "ulx3s"], r"Board must be one of ulx3s-85f, .*, arty-a7-35t, not 'ulx3s'$"),
        (
            ["--board", "icebreaker", "--mhz", "-1"],
            r"Clock frequency must be a positive number of MHz, not -1\.0$",
        ),
        (["--board", "icebreaker", "--seeds", "0"], r"Number of seeds must be a positive integer, not 0$"),
        (
            ["--board", "icebreaker", "--mhz", "9"],
            r"Clock must be a frequency that the board's PLL can make, not 9 MHz or less$",
        ),
        (["--board", "icebreaker", "--baud", "20000000"], r"A bit must take 4 to 65536 cycles, .*"),
    ],
)
def test_bad_option(build, options, pattern):
    refused(invoke("bitstream", build, *options), 3, pattern)
