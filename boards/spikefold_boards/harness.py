"""A wrapper for designs with more port bits than a package has pins."""

from collections.abc import Mapping
from typing import Any

from spikefold.errors import InputError
from spikefold.flow.artefact import Clock


def port_bits(ports: Mapping[str, Any]) -> int:
    """How many pins the ports of a yosys netlist take."""
    return sum(len(port["bits"]) for port in ports.values())


def serial_harness(top: str, ports: Mapping[str, Any], clock: Clock) -> str:
    """Verilog of the module ``<top>_harness``, which reaches every port of ``top`` through five pins.

    Clock and reset pass straight through. All other inputs come from one shift register, filled from
    the pin ``serial_i`` while the pin ``shift`` is high (without that enable its flip-flops would merge
    with the design's own input registers, which hold the same values). Every output bit is registered and
    mixed (XOR) into a second shift register that ends at the pin ``serial_o``, so that no output is
    optimised away and every path of the design still starts and ends at a flip-flop. It costs one
    flip-flop per input bit, and two and a LUT per output bit.

    Placing without pins instead (nextpnr's ``--out-of-context``) was measured and dropped: it leaves the
    clock off the global network, and a 32-lane core came out at 120 to 126 MHz in place of 134 to 143.

    Raises
    ------
    InputError
        ``top`` has no one-bit input for the clock, or has a bidirectional port.
    """
    pin = ports.get(clock.port, {"direction": None, "bits": []})
    if pin["direction"] != "input" or len(pin["bits"]) != 1:
        raise InputError(
            f"The top module {top!r} must have a one-bit input {clock.port!r}, not {list(ports)!r}"
        )
    for name, port in ports.items():
        if port["direction"] not in ("input", "output"):
            raise InputError(f"Port {name!r} of {top!r} must be an input or output, not {port['direction']}")
    names = (clock.port, clock.reset)
    direct = [n for n in names if n in ports and len(ports[n]["bits"]) == 1 and n in _inputs(ports)]
    inputs = {n: p for n, p in _inputs(ports).items() if n not in direct}
    outputs = {n: p for n, p in ports.items() if p["direction"] == "output"}
    connections = [f".{name}({name})" for name in direct]
    connections += _slices(inputs, "stimulus") + _slices(outputs, "response")
    return _TEMPLATE.format(
        top=top,
        clock=clock.port,
        header="".join(f"input {name}, " for name in direct),
        inputs=max(port_bits(inputs), 1),
        outputs=max(port_bits(outputs), 1),
        connections=", ".join(connections),
    )


_TEMPLATE = """\
module {top}_harness({header}input shift, input serial_i, output serial_o);
  reg [{inputs}-1:0] stimulus;
  wire [{outputs}-1:0] response;
  reg [{outputs}-1:0] captured;
  reg [{outputs}-1:0] mixed;
  assign serial_o = mixed[{outputs}-1];
  always @(posedge {clock}) begin
    if (shift) stimulus <= {{stimulus, serial_i}};
    captured <= response;
    mixed <= captured ^ {{mixed, 1'b0}};
  end
  {top} dut({connections});
endmodule
"""


def _inputs(ports: Mapping[str, Any]) -> dict[str, Any]:
    return {name: port for name, port in ports.items() if port["direction"] == "input"}


def _slices(ports: Mapping[str, Any], vector: str) -> list[str]:
    """Connections of ``ports`` to consecutive slices of ``vector``."""
    connections, base = [], 0
    for name, port in ports.items():
        width = len(port["bits"])
        connections.append(f".{name}({vector}[{base + width - 1}:{base}])")
        base += width
    return connections
