"""The pass that folds LUTs into carry chains: sums and carries stay what they were, for every input."""

import copy
from itertools import product
from typing import Any

import numpy as np
import pytest

from spikefold_boards.carry_chain import fold_addends
from spikefold_boards.netlist import Netlist

PLUS = f"{0x96AA:016b}"
CHOICE, XOR, AND = 0b11001010, 0b0110, 0b1000
"""Tables of LUTs: C ? B : A, A ^ B, A & B."""


def adder(table: int, inputs: list[Any], *, swapped: bool = False, minus: Any = "0") -> Netlist:
    """Half a carry chain of nets 2 (the first summand) and 3 (a LUT of `inputs`), sum 4, carries 5 and 6."""
    lut = {
        "type": "LUT4",
        "parameters": {"INIT": f"{table:016b}"},
        "port_directions": {"A": "input", "B": "input", "C": "input", "D": "input", "Z": "output"},
        "connections": {
            **{pin: [bit] for pin, bit in zip("ABCD", [*inputs, "0", "0", "0"], strict=False)},
            "Z": [3],
        },
    }
    first, second = (3, 2) if swapped else (2, 3)
    pins = {"A0": first, "B0": second, "C0": minus, "D0": "1", "CIN": 5}
    chain = {
        "type": "CCU2C",
        "parameters": {"INIT0": PLUS, "INIT1": PLUS, "INJECT1_0": "NO", "INJECT1_1": "NO"},
        "port_directions": {**dict.fromkeys(pins, "input"), "S0": "output", "COUT": "output"},
        "connections": {**{pin: [bit] for pin, bit in pins.items()}, "S0": [4], "COUT": [6]},
    }
    nets = sorted({bit for bit in (2, 5, minus, *inputs) if isinstance(bit, int)})
    ports = {f"n{bit}": {"direction": "input", "bits": [bit]} for bit in nets}
    ports |= {name: {"direction": "output", "bits": [bit]} for name, bit in (("s", 4), ("c", 6))}
    return Netlist({"modules": {"top": {"ports": ports, "cells": {"lut": lut, "chain": chain}}}}, "top")


def behaviour(netlist: Netlist) -> list[tuple[int, int]]:
    """Sum and carry for all values of all inputs, by yosys' model of a CCU2C."""
    nets = [port["bits"][0] for port in netlist.ports.values() if port["direction"] == "input"]
    seen = []
    for bits in product((0, 1), repeat=len(nets)):
        values: dict[Any, int] = dict(zip(nets, bits, strict=True)) | {"0": 0, "1": 1}
        if "lut" in netlist.cells:
            lut = netlist.cells["lut"]
            row = sum(values[lut["connections"][pin][0]] << k for k, pin in enumerate("ABCD"))
            values[3] = int(lut["parameters"]["INIT"], 2) >> row & 1
        chain = netlist.cells["chain"]
        table = int(chain["parameters"]["INIT0"], 2)
        row = sum(values[chain["connections"][f"{pin}0"][0]] << k for k, pin in enumerate("ABCD"))
        passes, carry = table >> row & 1, table >> (row & 3) & 1
        seen.append((passes ^ values[5], values[5] if passes else carry))
    return seen


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("table", "inputs", "minus"),
    [
        (XOR, [10, 11], "0"),
        (AND, [10, 11], "0"),
        (CHOICE, [10, 11, 12], "0"),
        (CHOICE, [2, 11, 12], "0"),
        (0b01, [10], "0"),
        (CHOICE, [10, 11, 2], "1"),
        (AND, [10, 2], 12),
        (0b00100010_01001000, [2, 10, 11, 12], "0"),  # what hold, plus, minus and double add
    ],
)
def test_sum_and_carry_stay(table: int, inputs: list[Any], minus: Any, swapped: bool) -> None:
    netlist = adder(table, inputs, minus=minus, swapped=swapped)
    before = behaviour(netlist)
    assert fold_addends(netlist) == 1
    assert behaviour(netlist) == before


def test_any_table_is_folded_right_or_not_at_all() -> None:
    rng = np.random.default_rng(0)
    folded = 0
    for _ in range(400):
        inputs = [int(bit) for bit in rng.choice([2, 10, 11, 12], int(rng.integers(1, 5)), replace=False)]
        netlist = adder(
            int(rng.integers(1 << 16)),
            inputs,
            swapped=bool(rng.integers(2)),
            minus=[0, "0", "1", 11][int(rng.integers(1, 4))],
        )
        before = behaviour(netlist)
        folded += fold_addends(netlist)
        assert behaviour(netlist) == before
    assert folded > 50


def test_a_lut_that_others_read_too_stays() -> None:
    for change in ("port", "cell", "late pin", "no carry"):
        netlist = adder(XOR, [10, 11])
        chain = netlist.cells["chain"]
        if change == "port":
            netlist.ports["y"] = {"direction": "output", "bits": [3]}
        elif change == "cell":
            netlist.cells["other"] = copy.deepcopy(netlist.cells["lut"])
            netlist.cells["other"]["connections"] = {"A": [3], "B": ["0"], "C": ["0"], "D": ["0"], "Z": [30]}
        elif change == "late pin":
            chain["connections"] |= {"C0": [3], "B0": ["0"]}
        else:
            chain["parameters"]["INJECT1_0"] = "YES"
        before = copy.deepcopy(netlist.document)
        assert fold_addends(netlist) == 0, change
        assert netlist.document == before


def test_a_lut_goes_if_all_its_readers_take_it_in() -> None:
    """The sign of an operand is read by many bits; each of them computes it for itself."""
    netlist = adder(XOR, [10, 11])
    chain = netlist.cells["chain"]
    chain["connections"] |= {"A1": [7], "B1": [3], "C1": ["0"], "D1": ["1"], "S1": [8]}
    chain["port_directions"] |= dict.fromkeys(("A1", "B1", "C1", "D1"), "input")
    assert fold_addends(netlist) == 1
    assert list(netlist.cells) == ["chain"]
    for place, summand in (("0", 2), ("1", 7)):
        pins = {chain["connections"][pin + place][0] for pin in "ABCD"}
        assert {summand, 10, 11} <= pins
