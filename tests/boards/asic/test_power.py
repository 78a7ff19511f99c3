"""What switching takes, against figures worked out by hand from the liberty file, and a counter's changes."""

from pathlib import Path

import numpy as np
import pytest

from spikefold.errors import ToolError
from spikefold.flow.artefact import Artefact, Clock
from spikefold.flow.ports import BEAT, EventFormat, Ports, ResultFormat
from spikefold_boards.asic.activity import Switching, net_names
from spikefold_boards.asic.libraries import find_cells
from spikefold_boards.asic.power import add_up
from spikefold_boards.asic.power_tables import PowerTables
from spikefold_boards.asic.synth import gate_level
from spikefold_boards.netlist import Netlist
from spikefold_sim.native_engine import NativeEngine

pytestmark = pytest.mark.cells

CLOCK, A, N, Q = 2, 3, 4, 5
CYCLES = 1000


@pytest.fixture(scope="module")
def tables() -> PowerTables:
    return PowerTables.read(find_cells("nangate45").liberty(), ["INV_X1", "DFF_X1", "NAND2_X1"])


def cell(kind: str, inputs: dict[str, int], outputs: dict[str, int]) -> dict:
    return {
        "type": kind,
        "parameters": {},
        "port_directions": dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output"),
        "connections": {pin: [net] for pin, net in (inputs | outputs).items()},
    }


def netlist() -> Netlist:
    """An inverter of port a drives the D of a flip-flop, whose Q nobody reads."""
    module = {
        "ports": {
            "clk": {"direction": "input", "bits": [CLOCK]},
            "a": {"direction": "input", "bits": [A]},
        },
        "netnames": {"n4": {"bits": [N]}, "n5": {"bits": [Q]}},
        "cells": {
            "u0": cell("INV_X1", {"A": A}, {"ZN": N}),
            "u1": cell("DFF_X1", {"CK": CLOCK, "D": N}, {"Q": Q}),
        },
    }
    return Netlist({"modules": {"top": module}}, "top")


def energies(tables: PowerTables, **changes: int):
    nets = {"clk": 0, "a": 0, "n4": 0, "n5": 0} | changes
    slews = {"u0/ZN": 0.00117378, "u1/Q": 0.00117378}
    return add_up(netlist(), Clock(), tables, Switching(CYCLES, nets), slews)


def test_nothing_switches_for_nothing(tables):
    found = energies(tables)
    assert found.sequential_pj == found.combinational_pj == 0
    assert found.leakage_uw == pytest.approx((14.353185 + 79.112308) / 1e3)


def test_a_net_takes_half_of_c_v_squared_and_the_gate_its_table(tables):
    # n4: D of the flip-flop, (1.140290 + 1.062342) / 2 fF, and a wire of fan-out 1, 0.1774 x 1.7460 fF
    load = 1.101316 + 0.309740
    # the inverter's tables at the smallest slew, between 0.365616 and 1.897810 fF
    part = (load - 0.365616) / (1.897810 - 0.365616)
    fall = -0.000035 + part * (-0.000051 + 0.000035)
    rise = 1.846618 + part * (1.913441 - 1.846618)
    # the D pin's own, over CK and Q low and high: rise and fall at the smallest slew
    own = [4.282350, 3.123160, 4.225775, 3.083037, 0.734644, -0.629039, 0.649761, -0.433510]
    found = energies(tables, n4=500)
    assert found.combinational_pj == pytest.approx(0.5 * (load * 1.21 / 2 + (rise + fall) / 2), rel=1e-6)
    assert found.sequential_pj == pytest.approx(0.5 * sum(own) / 8, rel=1e-6)


def test_a_clock_edge_takes_what_an_idle_or_a_changing_flip_flop_takes(tables):
    pin = (0.949653 + 0.856440) / 2 * 1.21 / 2
    idle = (4.497803 + 2.441622 + 4.265302 + 2.627385) / 4  # D equal to Q
    busy = (7.580013 + 7.539890) / 4  # D unlike Q: the rising edge's is Q's
    still = energies(tables, clk=2000)
    assert still.sequential_pj == pytest.approx(2 * (pin + idle), rel=1e-6)
    moving = energies(tables, clk=2000, n5=250)
    # Q, and QN with it, by their tables at the smallest slew and load
    outputs = (3.976646 + 4.357977) / 2 + (4.357973 + 3.976661) / 2
    expected = 2 * (pin + 0.75 * idle + 0.25 * busy) + 0.25 * outputs
    assert moving.sequential_pj == pytest.approx(expected, rel=1e-6)


def test_wires_follow_their_fan_out(tables):
    assert tables.wires.of(0) == 0
    assert tables.wires.of(2) == pytest.approx(0.1774 * 3.9394)
    assert tables.wires.of(10) == pytest.approx(0.1774 * (25.4842 + 27.0320) / 2)
    assert tables.wires.of(14) == pytest.approx(0.1774 * (27.0320 + 3 * 5))


def test_a_net_without_activity_is_an_error(tables):
    switching = Switching(CYCLES, {"clk": 0, "a": 0, "n4": 0})
    with pytest.raises(ToolError, match=r"must tell the activity of every net, but not of 'n5'$"):
        add_up(netlist(), Clock(), tables, switching, {"u0/ZN": 0.0, "u1/Q": 0.0})


COUNTING = """
module counting_top(
  input clk, input rst, input i__valid, output i__ready, input i__payload__index, input i__payload__level,
  input i__payload__end_position, input i__payload__end_step, input i__payload__end_sample,
  output o__valid, input o__ready, output [7:0] o__payload__logit, output o__payload__last
);
  reg [7:0] count, reply;
  reg full, waiting;
  assign i__ready = ~waiting & ~full;
  assign o__valid = full;
  assign o__payload__logit = reply;
  assign o__payload__last = 1'b1;
  always @(posedge clk) begin
    count <= rst ? 8'd0 : count + 8'd1;
    if (rst) {full, waiting} <= 2'b00;
    else if (full) full <= ~o__ready;
    else if (waiting) begin
      if (count == 8'd255) {full, waiting, reply} <= {2'b10, count};
    end else waiting <= i__valid;
  end
endmodule
"""


@pytest.mark.slow
def test_a_counter_changes_as_often_as_counters_do(tmp_path: Path) -> None:
    source = tmp_path / "counting.v"
    source.write_text(COUNTING)
    ports = Ports(EventFormat(1, 1), ResultFormat(8, 0, 1))
    beats = np.zeros(5, BEAT)
    beats["level"], beats["end_position"], beats["end_step"], beats["end_sample"] = 1, True, True, True
    with gate_level(Artefact((source,), "counting_top", None, ports), "nangate45") as gates:
        trace = tmp_path / "activity.saif"
        seen = NativeEngine(gates.artefact).run(beats, trace=trace)
        found = Switching.read(trace, "TOP/sim_top/dut")
        names = net_names(gates.netlist)
        flops = [each for each in gates.netlist.cells.values() if each["type"].startswith("DFF")]
    assert found.cycles == seen.cycles
    assert found.changes("clk") == 2 * seen.cycles - 1  # the last edge of the run falls at its end
    outputs = [each["connections"]["Q"] for each in flops]
    changes = [found.changes(names[bits[0]]) for bits in outputs if bits]
    # bit k of a counter that starts at 0 changes every 2^k cycles
    assert {seen.cycles // 2**k for k in range(8)} <= set(changes)
