"""Memories of a design in standard cells: black boxes whose bits are counted, or flip-flops."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spikefold.flow.artefact import Artefact
from spikefold.formats.text import read_verilog

_SHAPE = re.compile(r"spikefold_(rom|ram1?|file)_(\d+)x(\d+)")
_MACRO = re.compile(r"^\s*reg \[WIDTH-1:0\] rows \[0:DEPTH-1\];", re.MULTILINE)
_MODULE = re.compile(r"^module (\w+)", re.MULTILINE)

READS, WRITES = "counted_reads", "counted_writes"
"""Registers in a memory's simulation model that change with every read, and with every write."""


@dataclass(frozen=True)
class Memory:
    """One memory of a design.

    Attributes
    ----------
    name
        Where it is in the design.
    module
        Its module: one of a shape, or the user's macro.
    width, rows
        Bits of a row, and rows.
    cell
        Its name in the netlist of gates.
    """

    name: str
    module: str
    width: int
    rows: int
    cell: str

    @property
    def bits(self) -> int:
        """What it holds."""
        return self.width * self.rows


@dataclass(frozen=True)
class MemoryModule:
    """A Verilog module that is one memory, as `spikefold_hw.emit` writes it: a file for each.

    Attributes
    ----------
    name, text
        Of the module.
    width, rows
        What it holds; None for the stand-in of a macro, of which instances have parameters.
    combinational
        Whether it is read in the same cycle, as no macro is.
    """

    name: str
    text: str
    width: int | None
    rows: int | None
    combinational: bool

    @property
    def stub(self) -> str:
        """Verilog of a module with the same ports and nothing in it."""
        head = self.text[self.text.index("module ") : self.text.index("\n);") + 3]
        # an empty string is no default that yosys takes in a library module
        head = head.replace('FILE = ""', 'FILE = "none"').replace("output reg", "output")
        sized = "(* dynports *)\n" if self.width is None else ""
        return f"{sized}{head}\nendmodule\n"

    @property
    def model(self) -> str:
        """The memory for a simulation that counts: `READS` and `WRITES` change with every access."""
        read = "read_enable" if "read_enable" in self.text else "enable"
        write = "write_enable" if "write_enable" in self.text else "1'b0"
        if read == "enable" and write != "1'b0":
            read = "enable && !write_enable"
        counters = "".join(
            f"  reg {name} = 0;\n  always @(posedge clk) if ({event}) {name} <= ~{name};\n"
            for name, event in ((READS, read), (WRITES, write))
        )
        body = self.text[: self.text.rindex("endmodule")]
        return f"/* verilator tracing_off */\n{body}/* verilator tracing_on */\n{counters}endmodule\n"

    def small(self, bits: int) -> bool:
        """Whether it becomes flip-flops where all of at most ``bits`` bits do."""
        if self.width is None or self.rows is None:
            return False
        return self.combinational or self.width * self.rows <= bits

    def instance(self, name: str, cell: str, parameters: Mapping[str, Any]) -> Memory:
        """The instance of this name in the design, with its parameters there."""
        if self.width is None or self.rows is None:
            width, rows = (int(parameters[each], 2) for each in ("WIDTH", "DEPTH"))
            return Memory(name, self.name, width, rows, cell)
        return Memory(name, self.name, self.width, self.rows, cell)


def memory_modules(artefact: Artefact) -> dict[str, MemoryModule]:
    """The modules of a design that are one memory each, by the name of their file."""
    found = {}
    for path in artefact.rtl:
        text = read_verilog(path)
        names = _MODULE.findall(text)
        shape = _SHAPE.match(names[0]) if len(names) == 1 else None
        if shape is not None:
            kind, width, rows = shape.groups()
            found[path.name] = MemoryModule(names[0], text, int(width), int(rows), kind == "file")
        elif len(names) == 1 and _MACRO.search(text):
            found[path.name] = MemoryModule(names[0], text, None, None, False)
    return found
