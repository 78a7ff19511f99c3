"""The parts that need no tool: reports, logs, netlists, the harness and the cache."""

import copy
import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from spikefold.errors import InputError
from spikefold_boards.cache import content_key, load_result, store_result
from spikefold_boards.cells import resources_from_netlist
from spikefold_boards.devices import find_device
from spikefold_boards.harness import serial_harness
from spikefold_boards.netlist import Netlist, absorb_output_registers
from spikefold_boards.place_and_route import compare_capacity, parse_report, parse_utilization, shortage
from spikefold_boards.result import SynthResult

RESULT = SynthResult(
    device="xc7",
    part="XC7A35T",
    fits=True,
    reason=None,
    lut=1,
    ff=2,
    bram=3,
    dsp=0,
    multipliers=0,
    fmax_mhz=None,
    critical_path=("from a",),
    utilization={"lut": {"used": 1, "available": 20800}},
    harness=False,
    seed=None,
    seconds=1.5,
    cached=False,
    tools={"yosys": "1"},
)
LOG = """Info: Device utilisation:
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
    device = find_device("xc7")
    figures = resources_from_netlist(cells, device)
    assert figures == {"lut": 20_804, "ff": 5, "bram": 3, "dsp": 1}
    assert compare_capacity(figures, device).reason == "lut: needs 20804, the device has 20800"
    assert compare_capacity({**figures, "lut": 20_800}, device).reason is None


def _ram_netlist() -> Netlist:
    """A block RAM of which two data bits are used, each behind a flip-flop."""

    def flip_flop(data: int, output: int) -> dict[str, Any]:
        return {
            "type": "TRELLIS_FF",
            "parameters": {"CEMUX": "CE", "CLKMUX": "CLK", "REGSET": "RESET"},
            "port_directions": {"CLK": "input", "CE": "input", "LSR": "input", "DI": "input", "Q": "output"},
            "connections": {"CLK": [2], "CE": [3], "LSR": ["0"], "DI": [data], "Q": [output]},
        }

    ram = {
        "type": "DP16KD",
        "parameters": {"REGMODE_A": "NOREG", "REGMODE_B": "NOREG", "CLKAMUX": "CLKA"},
        "port_directions": {
            "CLKA": "input",
            "OCEA": "input",
            "RSTA": "input",
            **{f"DOA{i}": "output" for i in range(3)},
        },
        "connections": {"CLKA": [2], "OCEA": ["1"], "RSTA": ["0"], "DOA0": [10], "DOA1": [11], "DOA2": [12]},
    }
    ports = {"clk": {"direction": "input", "bits": [2]}, "y": {"direction": "output", "bits": [20, 21]}}
    cells = {"ram": ram, "ff0": flip_flop(10, 20), "ff1": flip_flop(11, 21)}
    return Netlist({"modules": {"top": {"ports": ports, "cells": cells}}}, "top")


def test_flip_flops_behind_a_block_ram_become_its_output_register() -> None:
    netlist = _ram_netlist()
    assert absorb_output_registers(netlist) == 1
    assert list(netlist.cells) == ["ram"]
    ram = netlist.cells["ram"]
    assert ram["parameters"] == {"REGMODE_A": "OUTREG", "REGMODE_B": "NOREG", "CLKAMUX": "CLKA"}
    assert ram["connections"] == {
        "CLKA": [2],
        "OCEA": [3],
        "RSTA": ["0"],
        "DOA0": [20],
        "DOA1": [21],
        "DOA2": [12],
    }


@pytest.mark.parametrize(
    ("cell", "section", "name", "value"),
    [
        ("ff1", "connections", "CLK", [9]),
        ("ff1", "connections", "CE", [9]),
        ("ff1", "connections", "LSR", [9]),
        ("ff1", "parameters", "CLKMUX", "INV"),
        ("ff1", "parameters", "CEMUX", "INV"),
        ("ff1", "parameters", "CEMUX", "1 "),
        ("ff1", "parameters", "REGSET", "SET"),
        ("ram", "parameters", "CLKAMUX", "INV"),
        ("ram", "connections", "RSTA", [9]),
        ("ram", "parameters", "DATA_WIDTH_B", f"{36:032b}"),
        ("ff1", "connections", "M", [10]),  # reads the RAM past the register
    ],
)
def test_flip_flops_that_differ_from_the_output_register_stay(
    cell: str, section: str, name: str, value: Any
) -> None:
    netlist = _ram_netlist()
    netlist.cells[cell][section][name] = value
    before = copy.deepcopy(netlist.document)
    assert absorb_output_registers(netlist) == 0
    assert netlist.document == before


@pytest.mark.parametrize(("port", "bit"), [("y", 10), ("y", 11), ("DI", 12)])
def test_data_that_leaves_the_design_unregistered_stays(port: str, bit: int) -> None:
    netlist = _ram_netlist()
    netlist.ports.setdefault(port, {"direction": "output", "bits": []})["bits"].append(bit)
    assert absorb_output_registers(netlist) == 0


def test_always_enabled_flip_flops_leave_the_enable_high() -> None:
    netlist = _ram_netlist()
    for name in ("ff0", "ff1"):
        netlist.cells[name]["parameters"]["CEMUX"] = "1 "
        del netlist.cells[name]["connections"]["CE"]
    assert absorb_output_registers(netlist) == 1
    assert netlist.cells["ram"]["connections"]["OCEA"] == ["1"]


def _port(direction: str, width: int) -> dict[str, Any]:
    return {"direction": direction, "bits": list(range(width))}


def test_harness_connects_every_bit_once() -> None:
    ports = {
        "clk": _port("input", 1),
        "rst": _port("input", 1),
        "a": _port("input", 3),
        "b": _port("input", 1),
        "x": _port("output", 2),
        "y": _port("output", 1),
    }
    verilog = serial_harness("top", ports)
    assert (
        "module top_harness(input clk, input rst, input shift, input serial_i, output serial_o);" in verilog
    )
    assert (
        "top dut(.clk(clk), .rst(rst), .a(stimulus[2:0]), .b(stimulus[3:3]), "
        ".x(response[1:0]), .y(response[2:2]));" in verilog
    )
    assert "reg [4-1:0] stimulus;" in verilog
    assert "wire [3-1:0] response;" in verilog


@pytest.mark.parametrize(
    ("ports", "message"),
    [
        ({"ck": _port("input", 1)}, r"\AThe top module 't' must have a one-bit input 'clk', not \['ck'\]\Z"),
        (
            {"clk": _port("input", 1), "p": _port("inout", 1)},
            r"\APort 'p' of 't' must be an input or output, not inout\Z",
        ),
    ],
)
def test_harness_refuses_other_ports(ports: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        serial_harness("t", ports)


def test_cache_returns_what_was_stored(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    assert load_result(folder, "key") is None
    store_result(folder, "key", RESULT)
    assert load_result(folder, "key") == dataclasses.replace(RESULT, cached=True)
    assert [path.name for path in folder.iterdir()] == ["key.json"]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"device": "xc7"}', "\x00"])
def test_damaged_cache_file_is_ignored(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "key.json").write_text(content)
    assert load_result(tmp_path, "key") is None
    assert "ignoring the unreadable cache file key.json" in caplog.text


def test_cache_key_keeps_neighbours_apart() -> None:
    keys = {
        content_key(["a", "b"], [("x", b"y")]),
        content_key(["ab"], [("x", b"y")]),
        content_key(["a", "b"], [("xy", b"")]),
        content_key(["a", "b"], [("x", b"z")]),
        content_key(["b", "a"], [("x", b"y")]),
    }
    assert len(keys) == 5
