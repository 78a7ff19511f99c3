"""Memories in Verilog: one module per shape, with the attributes that tools read."""

from collections.abc import Iterable, Sequence

from amaranth.hdl import ClockSignal, Const, Instance, Mux, Value

from spikefold.errors import InputError
from spikefold_hw.memory_choice import MemoryChoice, Style
from spikefold_hw.parts.load import Loadable
from spikefold_hw.parts.memory import AnyMemory, RegisterFile, Rom

FOLDER = "MEM_DIR"
"""The parameter with the folder of the memory images."""

FOLDER_HERE = f"@{FOLDER}@"
"""Stands for the parameter until the whole text is there."""

ATTRIBUTES: dict[tuple[bool, Style], tuple[str, ...]] = {
    # (read-only, style): Xilinx and yosys first, then Intel, then Lattice and Synplify. A device without
    # such a memory ignores it or falls back; open tools stop. To yosys a ROM in LUTs is one of registers.
    (True, "auto"): ('rom_style = "block"', 'ram_style = "block"'),
    (True, "block"): (
        'rom_style = "block"',
        'ram_style = "block"',
        'romstyle = "M20K"',
        'syn_romstyle = "EBR"',
    ),
    (True, "distributed"): (
        'rom_style = "distributed"',
        'ram_style = "registers"',
        'romstyle = "MLAB"',
        'syn_romstyle = "logic"',
    ),
    (False, "auto"): ("no_rw_check",),
    (False, "block"): (
        "no_rw_check",
        'ram_style = "block"',
        'ramstyle = "no_rw_check, M20K"',
        'syn_ramstyle = "block_ram"',
    ),
    (False, "distributed"): (
        "no_rw_check",
        'ram_style = "distributed"',
        'ramstyle = "no_rw_check, MLAB"',
        'syn_ramstyle = "distributed"',
    ),
    **dict.fromkeys(
        ((False, "ultra"), (False, "spram")),
        (
            "no_rw_check",
            'ram_style = "ultra"',
            'ramstyle = "no_rw_check, M20K"',
            'syn_ramstyle = "block_ram"',
        ),
    ),
}

_ROM = """\
// Read-only, filled from the file MEM_DIR/FILE.
module {name} #(
{parameters}  parameter FILE = "",
  parameter MEM_DIR = "mem"
) (
  input wire clk,
  input wire enable,  // read; else data stays
  input wire [{address}:0] address,
  output reg [{data}:0] data  // the row, one cycle later
);
  (* {attributes} *)
  reg [{data}:0] rows [0:{last}];
  initial $readmemh({{MEM_DIR, "/", FILE}}, rows);
  always @(posedge clk) if (enable) data <= rows[address];
endmodule
"""

_RAM = """\
// One write port, one read port. Reading a row while it is written gives no promise.
module {name}{parameters} (
  input wire clk,
  input wire read_enable,  // else read_data stays
  input wire [{address}:0] read_address,
  output reg [{data}:0] read_data,  // the row, one cycle later
  input wire write_enable,
  input wire [{address}:0] write_address,
  input wire [{data}:0] write_data
);
  (* {attributes} *)
  reg [{data}:0] rows [0:{last}];
  always @(posedge clk) if (write_enable) rows[write_address] <= write_data;
  always @(posedge clk) if (read_enable) read_data <= rows[read_address];
endmodule
"""

_RAM1 = """\
// One port. A cycle that writes gives no promise of what is read.
module {name}{parameters} (
  input wire clk,
  input wire enable,  // read; else read_data stays
  input wire write_enable,
  input wire [{address}:0] address,
  input wire [{data}:0] write_data,
  output reg [{data}:0] read_data  // the row, one cycle later
);
  (* {attributes} *)
  reg [{data}:0] rows [0:{last}];
  always @(posedge clk) begin
    if (write_enable) rows[address] <= write_data;
    else if (enable) read_data <= rows[address];
  end
endmodule
"""

_FILE = """\
// One write port, and a read in the same cycle: a few rows, which lie in logic.
module {name} (
  input wire clk,
  input wire [{address}:0] read_address,
  output wire [{data}:0] read_data,
  input wire write_enable,
  input wire [{address}:0] write_address,
  input wire [{data}:0] write_data
);
  reg [{data}:0] rows [0:{last}];
  always @(posedge clk) if (write_enable) rows[write_address] <= write_data;
  assign read_data = rows[read_address];
endmodule
"""

_TEMPLATES = {"rom": _ROM, "ram": _RAM, "ram1": _RAM1, "file": _FILE}


class VerilogPlatform:
    """Replaces every memory by an instance of a module of its shape.

    Parameters
    ----------
    choices
        What was chosen for memories, by their names.

    Attributes
    ----------
    modules
        Text of the module of each shape, by its name.
    models
        Text of a stand-in for each macro, for simulation, by its name.
    images
        Whether a memory reads its contents from a file.
    """

    def __init__(self, choices: Iterable[MemoryChoice] = ()):
        self._choices = {choice.name: choice for choice in choices}
        self._unused = set(self._choices)
        self._kinds: dict[str, str] = {}
        self.modules: dict[str, str] = {}
        self.models: dict[str, str] = {}
        self.images = False

    def get_memory(self, memory: AnyMemory) -> Instance:
        """Called by Amaranth for each memory."""
        name = getattr(memory, "name", "")
        self._unused.discard(name)
        choice = self._choices.get(name, MemoryChoice(name))
        self.images |= isinstance(memory, Rom)
        if isinstance(memory, Rom):
            kind, ports = "rom", _rom_ports(memory)
        elif isinstance(memory, RegisterFile):
            kind, ports = "file", _file_ports(memory)
        else:
            kind, ports = "ram1" if choice.single else "ram", _ram_ports(memory, choice)
        module, sizes = self._module(kind, memory, choice)
        return Instance(module, *sizes, ("i", "clk", ClockSignal()), *ports)

    def check_all_used(self) -> None:
        """Raise InputError if a choice names a memory that the design does not have."""
        if self._unused:
            raise InputError(f"Memory choices must name memories of the design, not {min(self._unused)!r}")

    def _module(
        self, kind: str, memory: AnyMemory, choice: MemoryChoice
    ) -> tuple[str, Sequence[tuple[str, str, object]]]:
        """Name of the module of a memory, and the parameters with its size, which only a macro has."""
        width, rows = len(memory.read_ports[0].data), memory.depth
        if choice.macro is None:
            module = f"spikefold_{kind}_{width}x{rows}" + f"_{choice.style}" * (choice.style != "auto")
            self.modules[module] = _wrapper(kind, module, width, rows, choice.style)
            return module, ()
        if self._kinds.setdefault(choice.macro, kind) != kind:
            raise InputError(
                f"Macro {choice.macro!r} must stand for memories with the same ports, but those of "
                f"{choice.name!r} differ; name another macro for it"
            )
        self.models[choice.macro] = _model(kind, choice.macro)
        return choice.macro, [("p", "WIDTH", width), ("p", "DEPTH", rows)]


def _rom_ports(memory: Rom) -> list[tuple[str, str, object]]:
    (read,) = memory.read_ports
    return [
        ("p", "FILE", memory.file),
        ("p", FOLDER, FOLDER_HERE),
        ("i", "enable", read.en),
        ("i", "address", _address(read.addr)),
        ("o", "data", read.data),
    ]


def _file_ports(memory: RegisterFile) -> list[tuple[str, str, object]]:
    (read,), (write,) = memory.read_ports, memory.write_ports
    return [
        ("i", "read_address", _address(read.addr)),
        ("o", "read_data", read.data),
        ("i", "write_enable", write.en),
        ("i", "write_address", _address(write.addr)),
        ("i", "write_data", write.data),
    ]


def _ram_ports(memory: AnyMemory, choice: MemoryChoice) -> list[tuple[str, str, object]]:
    (read,), (write,) = memory.read_ports, memory.write_ports
    if isinstance(memory, Loadable):
        enable, row, data = memory.port.enable, memory.port.address, memory.port.data
    else:
        enable, row, data = write.en, write.addr, write.data
    if choice.single:
        return [
            ("i", "enable", read.en),
            ("i", "write_enable", enable),
            ("i", "address", _address(Mux(enable, row, read.addr))),
            ("i", "write_data", data),
            ("o", "read_data", read.data),
        ]
    return [
        ("i", "read_enable", read.en),
        ("i", "read_address", _address(read.addr)),
        ("o", "read_data", read.data),
        ("i", "write_enable", enable),
        ("i", "write_address", _address(row)),
        ("i", "write_data", data),
    ]


def _address(address: Value) -> Value:
    """A memory of one row has no address bits, but a port must have one."""
    return address if len(address) else Const(0, 1)


def _wrapper(kind: str, name: str, width: int, rows: int, style: Style) -> str:
    text = _TEMPLATES[kind].format(
        name=name,
        parameters="",
        address=max((rows - 1).bit_length(), 1) - 1,
        data=width - 1,
        last=rows - 1,
        attributes=", ".join(ATTRIBUTES[kind == "rom", style]),
    )
    return f"// {rows} rows of {width} bits.\n{text}"


def _model(kind: str, name: str) -> str:
    """The stand-in of a macro: the memory of any size, for simulation."""
    sizes = "  parameter WIDTH = 1,\n  parameter DEPTH = 1"
    text = _TEMPLATES[kind].format(
        name=name,
        parameters=f"{sizes},\n" if kind == "rom" else f" #(\n{sizes}\n)",
        address="(DEPTH > 1 ? $clog2(DEPTH) : 1)-1",
        data="WIDTH-1",
        last="DEPTH-1",
        attributes=", ".join(ATTRIBUTES[kind == "rom", "auto"]),
    )
    return f"// A stand-in: replace it by a macro with these parameters and ports.\n{text}"
