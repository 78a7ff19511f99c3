"""The pass that moves flip-flops into the output registers of block RAMs."""

import copy
from typing import Any

import pytest

from spikefold_boards.block_ram import absorb_output_registers
from spikefold_boards.netlist import Netlist


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
        ("ram", "parameters", "DATA_WIDTH_A", f"{36:032b}"),
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


def _wide_netlist(write_clock: Any) -> Netlist:
    """The same, read 36 bits wide through port B, with its low half on the pins of port A."""
    netlist = _ram_netlist()
    ram = netlist.cells["ram"]
    ram["parameters"] = {"DATA_WIDTH_B": f"{36:032b}", "REGMODE_A": "NOREG", "REGMODE_B": "NOREG"}
    pins = {"CLKA": [write_clock], "CLKB": [2], "OCEA": ["0"], "OCEB": ["1"], "RSTA": ["0"], "RSTB": ["0"]}
    data = {"DOA0": [10], "DOB17": [11], "DOB3": [12]}
    ram["connections"] = pins | data
    ram["port_directions"] = dict.fromkeys(pins, "input") | dict.fromkeys(data, "output")
    return netlist


@pytest.mark.parametrize("write_clock", [2, "0", "x"])
def test_a_wide_port_has_both_halves_registered_alike(write_clock: Any) -> None:
    netlist = _wide_netlist(write_clock)
    assert absorb_output_registers(netlist) == 1
    assert list(netlist.cells) == ["ram"]
    ram = netlist.cells["ram"]
    assert (ram["parameters"]["REGMODE_A"], ram["parameters"]["REGMODE_B"]) == ("OUTREG", "OUTREG")
    pins = {"CLKA": [2], "CLKB": [2], "OCEA": [3], "OCEB": [3], "RSTA": ["0"], "RSTB": ["0"]}
    assert ram["connections"] == {**pins, "DOA0": [20], "DOB17": [21], "DOB3": [12]}


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("connections", "CLKA", [9]),
        ("connections", "RSTA", [9]),
        ("connections", "RSTB", [9]),
        ("parameters", "CLKAMUX", "INV"),
        ("parameters", "CLKBMUX", "INV"),
    ],
)
def test_a_wide_port_whose_halves_could_differ_stays(section: str, name: str, value: Any) -> None:
    netlist = _wide_netlist(2)
    netlist.cells["ram"][section][name] = value
    before = copy.deepcopy(netlist.document)
    assert absorb_output_registers(netlist) == 0
    assert netlist.document == before
