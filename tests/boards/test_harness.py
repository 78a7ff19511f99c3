"""The wrapper for designs with more port bits than pins."""

from typing import Any

import pytest

from spikefold.errors import InputError
from spikefold.flow.artefact import Clock
from spikefold_boards.harness import serial_harness


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
    verilog = serial_harness("top", ports, Clock())
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
        serial_harness("t", ports, Clock())


def test_harness_runs_on_the_designs_own_clock() -> None:
    ports = {"ck": _port("input", 1), "clear": _port("input", 1), "y": _port("output", 1)}
    verilog = serial_harness("top", ports, Clock("ck", "clear"))
    assert "top_harness(input ck, input clear, input shift" in verilog
    assert "always @(posedge ck)" in verilog
