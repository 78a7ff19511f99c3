"""Verilog of any component: deterministic text."""

import re
from collections.abc import Mapping

from amaranth.back import verilog
from amaranth.hdl import ClockSignal, Const, Instance, Module, Shape, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Flow

from spikefold_hw.parts.memory import Rom

_PARAMETER = "MEM_DIR"
_NO_OPERATORS = re.compile(r'"[^"\n]*"|//[^\n]*|/\*.*?\*/|\(\*.*?\*\)|@\s*\*|\\\S+', re.DOTALL)
_MULTIPLIERS = re.compile(r"\*\*|[*/%]")

ROM_VERILOG = """\
// A read-only memory filled from the file MEM_DIR/FILE; reads take one cycle.
module spikefold_rom #(
  parameter WIDTH = 1,
  parameter DEPTH = 1,
  parameter ADDRESS = 1,
  parameter FILE = "",
  parameter MEM_DIR = "mem"
) (
  input wire clk,
  input wire enable,
  input wire [ADDRESS-1:0] address,
  output reg [WIDTH-1:0] data
);
  (* rom_style = "block", ram_style = "block" *)
  reg [WIDTH-1:0] rows [0:DEPTH-1];
  initial $readmemh({MEM_DIR, "/", FILE}, rows);
  always @(posedge clk) if (enable) data <= rows[address];
endmodule
"""

RAM_VERILOG = """\
// One write port, one synchronous read port. Reading a row while it is written gives no promise.
module spikefold_ram #(
  parameter WIDTH = 1,
  parameter DEPTH = 1,
  parameter ADDRESS = 1
) (
  input wire clk,
  input wire read_enable,
  input wire [ADDRESS-1:0] read_address,
  output reg [WIDTH-1:0] read_data,
  input wire write_enable,
  input wire [ADDRESS-1:0] write_address,
  input wire [WIDTH-1:0] write_data
);
  (* no_rw_check *)
  reg [WIDTH-1:0] rows [0:DEPTH-1];
  always @(posedge clk) if (write_enable) rows[write_address] <= write_data;
  always @(posedge clk) if (read_enable) read_data <= rows[read_address];
endmodule
"""


class VerilogPlatform:
    """Replaces every memory by an instance of `spikefold_rom` or `spikefold_ram`."""

    def get_memory(self, memory: Memory) -> Module:
        """Called by Amaranth for each memory."""
        return self._rom(memory) if isinstance(memory, Rom) else self._ram(memory)

    def _rom(self, memory: Rom) -> Module:
        (read,) = memory.read_ports
        m = Module()
        m.submodules.rom = Instance(
            "spikefold_rom",
            *_geometry(memory),
            ("p", "FILE", memory.file),
            ("p", _PARAMETER, f"@{_PARAMETER}@"),
            ("i", "enable", read.en),
            ("i", "address", _address(read.addr)),
            ("o", "data", read.data),
        )
        return m

    def _ram(self, memory: Memory) -> Module:
        (read,), (write,) = memory.read_ports, memory.write_ports
        m = Module()
        m.submodules.ram = Instance(
            "spikefold_ram",
            *_geometry(memory),
            ("i", "read_enable", read.en),
            ("i", "read_address", _address(read.addr)),
            ("o", "read_data", read.data),
            ("i", "write_enable", write.en),
            ("i", "write_address", _address(write.addr)),
            ("i", "write_data", write.data),
        )
        return m


def _geometry(memory: Memory) -> list[tuple[str, str, object]]:
    return [
        ("p", "WIDTH", memory.data.shape),
        ("p", "DEPTH", memory.depth),
        ("p", "ADDRESS", len(_address(memory.read_ports[0].addr))),
        ("i", "clk", ClockSignal()),
    ]


def _address(address: Value) -> Value:
    """A memory of one row has no address bits, but a port must have one."""
    return address if len(address) else Const(0, 1)


def top_name(name: str) -> str:
    """Name of the top module of a design."""
    return f"{name}_top"


def count_multipliers(files: Mapping[str, str]) -> int:
    """How many multiplications, divisions, remainders and powers the Verilog files hold."""
    return sum(len(_MULTIPLIERS.findall(_NO_OPERATORS.sub(" ", text))) for text in files.values())


def emit(component: wiring.Component, name: str) -> Mapping[str, str]:
    """Verilog files of a component by name: top, core, and the two memories they are built on.

    The top module has a port for every member of the component's signature, and for a stream one for each
    field of its payload, as `o__payload__index`; `clk`, `rst`, and the string parameter `MEM_DIR`, the
    folder of the memory images.

    Parameters
    ----------
    component
        Its signature holds streams, and members of plain shapes.
    name
        Of the design: the modules are `<name>_top` and `<name>_core`.
    """
    core = f"{name}_core"
    text = verilog.convert(
        component, platform=VerilogPlatform(), name=core, emit_src=False, strip_internal_attrs=True
    )
    return {
        f"{top_name(name)}.v": _top(component, name),
        f"{core}.v": _with_parameter(_plain_names(_started(text), core)),
        "spikefold_rom.v": ROM_VERILOG,
        "spikefold_ram.v": RAM_VERILOG,
    }


def _started(text: str) -> str:
    """Let every `always @*` run once at time zero in SystemVerilog simulators too.

    Yosys has each of them read a register that is set to 0 in its declaration. SystemVerilog sets
    it before the processes start, so they miss the change; an `initial` they do not miss.
    """
    return re.sub(
        r"^  reg (\\\$auto\$verilog_backend\S+)  = 0;$",
        r"  reg \1 ;\n  initial \1  = 0;",
        text,
        flags=re.MULTILINE,
    )


def _plain_names(text: str, core: str) -> str:
    """Turn Amaranth's escaped hierarchical module names (`\\core.layer `) into plain ones (`core__layer`)."""
    return re.sub(
        rf"\\({re.escape(core)}\.[\w.$]+) ", lambda match: re.sub(r"\W+", "__", match[1]) + " ", text
    )


def _with_parameter(text: str) -> str:
    """Hand the folder of the images down from the core to every memory."""
    modules = re.findall(r"^module (\w+)\s*\(", text, re.MULTILINE)
    text = re.sub(
        r"^module (\w+)\s*\(", rf'module \1 #(parameter {_PARAMETER} = "mem") (', text, flags=re.MULTILINE
    )
    names = "|".join(map(re.escape, modules))
    text = re.sub(
        rf"^(\s+)({names})\s+(\S+)\s+\(",
        rf"\1\2 #(.{_PARAMETER}({_PARAMETER})) \3 (",
        text,
        flags=re.MULTILINE,
    )
    return text.replace(f'"@{_PARAMETER}@"', _PARAMETER)


def _top(component: wiring.Component, name: str) -> str:
    """The top: one port per field of a payload, signed where the field is. Amaranth would merge them."""
    ports, joins = ["input wire clk", "input wire rst"], [".clk(clk)", ".rst(rst)"]
    for member, flow in component.signature.members.items():
        declared, joined = _stream(member, flow) if flow.is_signature else _plain(member, flow)
        ports += declared
        joins += joined
    separator = ",\n  "
    return f"""\
module {top_name(name)} #(
  parameter {_PARAMETER} = "mem"
) (
  {separator.join(ports)}
);
{name}_core #(.{_PARAMETER}({_PARAMETER})) core (
  {separator.join(joins)}
);
endmodule
"""


def _plain(name: str, member: wiring.Member) -> tuple[list[str], list[str]]:
    """Port and connection of a member that is no stream."""
    direction = "output" if member.flow == Flow.Out else "input"
    return [f"{direction} wire {_range(Shape.cast(member.shape))}{name}"], [f".{name}({name})"]


def _stream(name: str, member: wiring.Member) -> tuple[list[str], list[str]]:
    """Ports and connections of a stream."""
    forward, backward = ("output", "input") if member.flow == Flow.Out else ("input", "output")
    signature = member.signature
    shape = signature.members["payload"].shape
    valid, ready = f"{forward} wire {name}__valid", f"{backward} wire {name}__ready"
    joins = [f".{name}__{part}({name}__{part})" for part in ("valid", "ready")]
    if not isinstance(shape, data.StructLayout):
        payload = f"{forward} wire {_range(Shape.cast(shape))}{name}__payload"
        return [valid, payload, ready], [joins[0], f".{name}__payload({name}__payload)", joins[1]]
    fields = [f"{name}__payload__{field}" for field in shape.members]
    ports = [
        f"{forward} wire {_range(Shape.cast(each))}{field}"
        for field, each in zip(fields, shape.members.values(), strict=True)
    ]
    packed = f".{name}__payload({{{', '.join(reversed(fields))}}})"
    return [valid, ready, *ports], [*joins, packed]


def _range(shape: Shape) -> str:
    sign = "signed " if shape.signed else ""
    return f"{sign}[{shape.width - 1}:0] " if shape.width > 1 else sign
