"""Reports and logs of nextpnr, and routers that do not end."""

import logging
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from spikefold.flow.run import ToolTimeoutError
from spikefold.flow.tools import Tool
from spikefold_boards import place_and_route as module
from spikefold_boards.cells import resources_from_netlist
from spikefold_boards.fpgas import find_fpga
from spikefold_boards.place_and_route import (
    compare_capacity,
    parse_report,
    parse_utilization,
    place_and_route,
    shortage,
)

LOG = """Info: Fpga utilisation:
Info: 	         ICESTORM_LC:    6210/   5280   117%
Info: 	        ICESTORM_RAM:       0/     30     0%
Info: 	               SB_IO:       4/     39    10%
"""


def test_utilisation_is_read_from_a_log_and_names_what_is_exceeded() -> None:
    utilization = parse_utilization(LOG)
    assert utilization == {
        "ICESTORM_LC": {"used": 6210, "available": 5280},
        "SB_IO": {"used": 4, "available": 39},
    }
    assert shortage(utilization, LOG) == "ICESTORM_LC: needs 6210, the device has 5280"


@pytest.mark.parametrize(
    "message",
    [
        "Unable to place cell 'x', no BELs remaining to implement cell type 'DP16KD'",
        "Unable to find legal placement for all cells, design is probably at utilisation limit.",
        "unable to find a placement location for cell 'x'",
    ],
)
def test_placer_that_gives_up_is_a_shortage(message: str) -> None:
    assert shortage({}, f"Info: placing\nERROR: {message}\n1 error\n") == message


def test_other_failure_is_no_shortage() -> None:
    assert shortage({}, "ERROR: Failed to open '--json' file\n") is None


def test_report_gives_the_slowest_clock_and_its_own_path() -> None:
    def path(start: str, end: str, cell: str) -> dict[str, Any]:
        hop = {"from": {"cell": cell, "port": "Q"}, "to": {"cell": "end", "port": "DI"}}
        return {"from": start, "to": end, "path": [{**hop, "type": "routing", "delay": 2.5}]}

    report = {
        "utilization": {"TRELLIS_FF": {"used": 2, "available": 9}, "DCCA": {"used": 0, "available": 9}},
        "fmax": {"fast": {"achieved": 300.0}, "slow": {"achieved": 123.456}},
        "critical_paths": [
            path("posedge fast", "posedge fast", "a"),
            path("<async>", "posedge slow", "b"),
            path("posedge slow", "posedge slow", "c"),
        ],
    }
    placement = parse_report(report, 7)
    assert placement.fmax_mhz == 123.46
    assert placement.critical_path == ("from c.Q, 2.50 ns", "routing 2.50 ns to end.DI")
    assert placement.utilization == {"TRELLIS_FF": {"used": 2, "available": 9}}
    assert placement.seed == 7


def test_report_without_a_clock_has_no_frequency() -> None:
    report = {"utilization": {}, "fmax": {}, "critical_paths": []}
    assert parse_report(report, 1).fmax_mhz is None


def test_xc7_figures_are_compared_with_the_device() -> None:
    cells = Counter(LUT6=20_000, SRL16E=800, RAM64M=1, FDRE=5, RAMB18E1=3, RAMB36E1=1, DSP48E1=1)
    device = find_fpga("xc7")
    figures = resources_from_netlist(cells, device)
    assert figures == {"lut": 20_804, "ff": 5, "bram": 3, "dsp": 1}
    assert compare_capacity(figures, device).reason == "lut: needs 20804, the device has 20800"
    assert compare_capacity({**figures, "lut": 20_800}, device).reason is None


FAKE = """#!/bin/sh
echo "$@" >> calls
echo routing
case "$*" in
  *router1*) sleep {first} ;;
  *) sleep {second} ;;
esac
while [ "$1" != --report ]; do shift; done
echo '{{"utilization": {{}}, "fmax": {{"clk": {{"achieved": 85.0}}}}, "critical_paths": []}}' > "$2"
"""


def nextpnr(folder: Path, first: float, second: float) -> Tool:
    """A router1 and a router2 that take so many seconds."""
    path = folder / "nextpnr"
    path.write_text(FAKE.format(first=first, second=second))
    path.chmod(stat.S_IRWXU)
    return Tool("nextpnr-ice40", (str(path),))


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def test_a_router_that_does_not_end_gives_way_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "ROUTER_SECONDS", 0.5)
    tool, device = nextpnr(tmp_path, 60, 0), find_fpga("ice40-hx8k")
    with caplog.at_level(logging.WARNING):
        placement = place_and_route(tool, device, range(3, 4), tmp_path)
    assert (placement.fmax_mhz, placement.seed, placement.router) == (85.0, 3, "router2")
    assert caplog.messages == ["router1 for 0.5 s did not end on ice40-hx8k, trying router2"]
    assert ["router1" in call for call in calls(tmp_path)] == [True, False]


def test_a_router_that_ends_is_the_only_one(tmp_path: Path) -> None:
    placement = place_and_route(nextpnr(tmp_path, 0, 60), find_fpga("ice40-hx8k"), range(1, 2), tmp_path)
    assert placement.router == "router1"
    assert len(calls(tmp_path)) == 1


def test_routers_that_do_not_end_are_named_with_the_limit(tmp_path: Path) -> None:
    message = (
        r"\AProgram 'nextpnr-ice40' must end within 0\.5 s, but was still running and was ended; "
        r"raise the limit, or look at the last it printed:\nrouting\n"
        r"Before that, router1 for 0\.5 s did not end either\Z"
    )
    with pytest.raises(ToolTimeoutError, match=message):
        place_and_route(
            nextpnr(tmp_path, 60, 60), find_fpga("ice40-hx8k"), range(1, 3), tmp_path, timeout=0.5
        )


def test_elsewhere_nextpnr_chooses_its_router_and_aims_at_the_clock(tmp_path: Path) -> None:
    tool = nextpnr(tmp_path, 60, 0)
    assert place_and_route(tool, find_fpga("ecp5-25k"), range(1, 2), tmp_path).router is None
    place_and_route(tool, find_fpga("ecp5-25k"), range(1, 2), tmp_path, mhz=33.5)
    assert not any("--router" in call for call in calls(tmp_path))
    assert [call.split("--freq ")[1].split()[0] for call in calls(tmp_path)] == ["150", "33.5"]
    with pytest.raises(ToolTimeoutError, match=r"routing\Z"):
        place_and_route(nextpnr(tmp_path, 0, 60), find_fpga("ecp5-25k"), range(1, 2), tmp_path, timeout=0.3)
