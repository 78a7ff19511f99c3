"""The harness around a design: `sim_top` in Verilog, and the C++ view of it for native runs.

Hierarchical references bring the probed streams out as ports, so no inner signal has to be made public
and the simulator may optimise the whole design. Ports of `sim_top`:

```
clk, rst
i_beat          in   {valid, payload} of the input stream
i_byte          in   {valid, payload} of the load stream
o_ready         in   ready of the result stream
counter_select  in   16 bits
status          out  {handshake of each probe, load ready, any stream broke its contract, o valid, i ready}
o_word          out  payload of the result stream, 0 while not valid
event_<k>       out  payload of probe k, 0 while it has no handshake
streams         out  {ready, valid} of each stream of `Ports.streams`, the input lowest
broken          out  sticky: which of them broke its contract
counter_value   out  32 bits
```

A stream breaks its contract if it changes or takes back a beat that waits; the input, if it is ready before
the memories are loaded. Words are packed as `ports.EventFormat` and `ports.ResultFormat` say. The design has
one port for each field of its two payloads (`i__payload__index`, ...); where it has no counters or no load
stream, their ports of the harness are idle. On a four-state simulator any unknown valid or ready makes
`status` unknown.
"""

from collections.abc import Iterator

from spikefold.flow.artefact import Artefact
from spikefold.flow.ports import EventFormat, Ports, Probe, ResultFormat
from spikefold_sim.runlog import FIRST_PROBE

TOP = "sim_top"


def wrapper_verilog(artefact: Artefact) -> str:
    """Verilog text of `sim_top`; the same top, ports and clock give the same text."""
    ports = artefact.streams
    body = [
        *_design(artefact, ports),
        *_loading(ports),
        *(line for number, probe in enumerate(ports.probes) for line in _probe(number, probe)),
        *_checks(ports),
    ]
    return "\n".join(
        ["`timescale 1ns/1ps", f"module {TOP} (", *_port_list(ports), ");", *body, "endmodule", ""]
    )


def wire_verilog(artefact: Artefact) -> str:
    """Verilog text of `sim_top` around a design with a host on a UART: its four pins and nothing else."""
    clock = artefact.clock
    return (
        f"module {TOP} (input wire clk, input wire rst, input wire rx, output wire tx);\n"
        f"  {artefact.top} dut (.{clock.port}(clk), .{clock.reset}(rst), .rx(rx), .tx(tx));\n"
        "endmodule\n"
    )


def wrapper_header(ports: Ports) -> str:
    """C++ text that tells `native.cpp` the shape of `sim_top`."""
    events = [f"        case {k}: return top.event_{k};" for k in range(len(ports.probes))]
    return "\n".join(
        [
            "#pragma once",
            "#include <cstdint>",
            '#include "Vtop.h"',
            "namespace harness {",
            f"constexpr int PROBES = {len(ports.probes)};",
            f"constexpr int STIMULUS_BITS = {ports.stimulus.bits};",
            f"constexpr int RESULT_BITS = {ports.result.bits};",
            "inline uint64_t event(const Vtop& top, int probe) {",
            "    switch (probe) {",
            *events,
            "        default: (void)top; return 0;",
            "    }",
            "}",
            "}",
            "",
        ]
    )


def _port_list(ports: Ports) -> list[str]:
    def port(direction: str, width: int, name: str) -> str:
        access = "public_flat_rw" if direction == "input" else "public_flat_rd"
        return f"  {direction} wire [{width - 1}:0] {name} /*verilator {access}*/"

    scalars = [f"  input wire {name} /*verilator public_flat_rw*/" for name in ("clk", "rst", "o_ready")]
    lines = [
        *scalars,
        port("input", ports.stimulus.bits + 1, "i_beat"),
        port("input", 9, "i_byte"),
        port("input", 16, "counter_select"),
        port("output", FIRST_PROBE + len(ports.probes), "status"),
        port("output", ports.result.bits, "o_word"),
        port("output", 2 * len(ports.streams), "streams"),
        port("output", len(ports.streams), "broken"),
        port("output", 32, "counter_value"),
    ]
    lines += [port("output", probe.format.bits, f"event_{k}") for k, probe in enumerate(ports.probes)]
    return [f"{line}," for line in lines[:-1]] + lines[-1:]


def _design(artefact: Artefact, ports: Ports) -> list[str]:
    """The instance, its input and its result stream."""
    pins = [(artefact.clock.port, "clk"), (artefact.clock.reset, "rst")]
    pins += [("i__valid", "i_valid"), ("i__ready", "i_ready"), *_fields("i", ports.stimulus, "i_beat")]
    pins += [("o__valid", "o_valid"), ("o__ready", "o_ready"), *_fields("o", ports.result, "o_raw")]
    if ports.counters:
        pins += [(name, name) for name in ("counter_select", "counter_value")]
    if ports.load:
        pins += [("load__valid", "load_valid"), ("load__ready", "load_ready")]
        pins += [("load__payload", "i_byte[7:0]"), ("loaded", "loaded")]
    connections = ",\n".join(f"    .{pin}({net})" for pin, net in pins)
    return [
        "  wire i_ready, o_valid, load_ready, loaded;",
        f"  wire i_valid = i_beat[{ports.stimulus.bits}];",
        "  wire load_valid = i_byte[8];",
        f"  wire [{ports.result.bits - 1}:0] o_raw;",
        f"  {artefact.top} dut (\n{connections}\n  );",
        f"  assign o_word = o_valid ? o_raw : {ports.result.bits}'d0;",
        *_stability("result", "o_valid", "o_ready", "o_raw", ports.result.bits, 2),
        *([] if ports.counters else ["  assign counter_value = 32'd0;"]),
    ]


def _fields(stream: str, layout: EventFormat | ResultFormat, word: str) -> Iterator[tuple[str, str]]:
    """Pins of a payload and the parts of the word that they are."""
    offset = 0
    for name, width in layout.fields:
        yield f"{stream}__payload__{name}", f"{word}[{offset + width - 1}:{offset}]"
        offset += width


def _loading(ports: Ports) -> list[str]:
    """No sample may come in before the memories are loaded."""
    idle = [] if ports.load else ["  assign load_ready = 1'b0;", "  assign loaded = 1'b1;"]
    return [
        *idle,
        "  reg early;",
        "  always @(posedge clk) early <= ~rst & (early | (i_ready & ~loaded));",
        "  assign broken[1:0] = {1'b0, early};",
    ]


def _probe(number: int, probe: Probe) -> list[str]:
    bits = probe.format.bits
    valid, ready, raw = f"valid_{number}", f"ready_{number}", f"raw_{number}"
    return [
        f"  wire {valid}, {ready};",
        f"  wire [{bits - 1}:0] {raw};",
        f"  assign {{{ready}, {valid}, {raw}}} = dut.{probe.path};",
        f"  assign event_{number} = ({valid} & {ready}) ? {raw} : {bits}'d0;",
        *_stability(str(number), valid, ready, raw, bits, number + 3),
    ]


def _stability(name: str, valid: str, ready: str, raw: str, bits: int, flag: int) -> list[str]:
    """A beat that waits must still be there, unchanged, in the next cycle."""
    return [
        f"  reg waits_{name}, broken_{name};",
        f"  reg [{bits - 1}:0] kept_{name};",
        "  always @(posedge clk) begin",
        f"    waits_{name} <= ~rst & {valid} & ~{ready};",
        f"    kept_{name} <= {raw};",
        f"    if (rst) broken_{name} <= 1'b0;",
        f"    else if (waits_{name} & (~{valid} | (kept_{name} != {raw}))) broken_{name} <= 1'b1;",
        "  end",
        f"  assign broken[{flag}] = broken_{name};",
    ]


def _checks(ports: Ports) -> list[str]:
    numbers = range(len(ports.probes))
    handshakes = [f"valid_{k} & ready_{k}" for k in reversed(numbers)]
    pairs = [f"ready_{k}, valid_{k}" for k in reversed(numbers)]
    pairs += ["o_ready, o_valid", "load_ready, load_valid", "i_ready, i_valid"]
    status = ", ".join([*handshakes, "load_ready", "any_broken", "o_valid", "i_ready"])
    return [
        f"  assign streams = {{{', '.join(pairs)}}};",
        "  wire unknown = (^{streams, loaded}) === 1'bx;",
        "  wire any_broken = unknown ? 1'bx : |broken;",
        f"  assign status = {{{status}}};",
    ]
