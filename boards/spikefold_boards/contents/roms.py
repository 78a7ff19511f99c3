"""Read-only memories as block RAMs of a device: Verilog in the place of modules that tools infer them from.

Yosys would infer them too, but then what they hold shapes the netlist (a column of zeros vanishes), and its
parameters tell nowhere which bit of which image they are. Here a module names its blocks' part of the image
in attributes, and the contents stay out of yosys: `fill` puts them into the netlist.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from spikefold_boards.contents.block import BlockRam
from spikefold_boards.contents.ecp5 import Ecp5Ram
from spikefold_boards.contents.ice40 import Ice40Ram

BLOCK_RAMS: Mapping[str, BlockRam] = MappingProxyType({"ecp5": Ecp5Ram(), "ice40": Ice40Ram()})
"""By family; other families leave the memories to yosys."""

IMAGE, MODULE, ROW, BIT, WIDTH = (f"spikefold_{name}" for name in ("image", "rom", "row", "bit", "width"))
"""Attributes of a block: file of its image, module of the memory, first row and bit there, bits of a read."""

_MODULE = re.compile(r"spikefold_rom_(\d+)x(\d+)(?:_block)?\Z")


@dataclass(frozen=True)
class RomShape:
    """A module of the Verilog that is a read-only memory in block RAM: its name, bits of a row, and rows."""

    module: str
    bits: int
    rows: int

    @classmethod
    def of(cls, module: str) -> "RomShape | None":
        """The shape of the module of this name; None if it is no such memory.

        A memory of one row is none: it is a constant, for which logic is the better place.
        """
        found = _MODULE.match(module)
        return None if found is None or found[2] == "1" else cls(module, int(found[1]), int(found[2]))

    @property
    def address_bits(self) -> int:
        """Bits of an address."""
        return (self.rows - 1).bit_length()


@dataclass(frozen=True)
class Grid:
    """Blocks side by side for the bits of a row, and one below the other for the rows."""

    width: int
    columns: int
    rows: int

    @classmethod
    def of(cls, shape: RomShape, ram: BlockRam) -> "Grid":
        """The one with the fewest blocks; of these with the fewest rows of them, then the narrowest."""
        grids = [
            cls(width, -(-shape.bits // width), -(-shape.rows // depth))
            for width, depth in ram.depths.items()
        ]
        return min(grids, key=lambda grid: (grid.columns * grid.rows, grid.rows, grid.width))


def black_box(shape: RomShape) -> str:
    """Verilog of a memory without anything in it, for steps to which it does not matter."""
    return f"(* blackbox *)\n{_header(shape)}endmodule\n"


def rom_verilog(shape: RomShape, ram: BlockRam) -> str:
    """Verilog of a memory in blocks of ``ram``, with the ports and parameters of the module it replaces."""
    grid, places = Grid.of(shape, ram), list(_places(Grid.of(shape, ram)))
    low = (ram.depths[grid.width] - 1).bit_length()
    wires = "".join(f"  wire [{grid.width - 1}:0] block{r}_{c}_data;\n" for r, c in places)
    blocks = "".join(_block(shape.module, ram, grid, r, c) for r, c in places)
    inside = f"  wire [{low - 1}:0] row = address;\n{wires}{blocks}{_selection(grid, shape, low)}"
    return f"{_header(shape)}{inside}endmodule\n"


def _header(shape: RomShape) -> str:
    return (
        f'module {shape.module} #(parameter FILE = "", parameter MEM_DIR = "") (\n'
        f"  input wire clk, input wire enable, input wire [{shape.address_bits - 1}:0] address,\n"
        f"  output wire [{shape.bits - 1}:0] data\n);\n"
    )


def _places(grid: Grid) -> Iterator[tuple[int, int]]:
    return ((r, c) for r in range(grid.rows) for c in range(grid.columns))


def _block(module: str, ram: BlockRam, grid: Grid, row: int, column: int) -> str:
    part = {ROW: ram.depths[grid.width] * row, BIT: grid.width * column, WIDTH: grid.width}
    values = {IMAGE: "FILE", MODULE: f'"{module}"', **part}
    attributes = ", ".join(f"{key} = {value}" for key, value in values.items())
    before, cell, after = ram.instance(f"block{row}_{column}", grid.width).partition(f"  {ram.cell} ")
    return f"{before}  (* {attributes} *)\n{cell}{after}"


def _selection(grid: Grid, shape: RomShape, low: int) -> str:
    """The row of blocks whose data is the memory's, chosen by the address bits from ``low`` on."""
    parts = [
        f"{{{', '.join(f'block{row}_{c}_data' for c in reversed(range(grid.columns)))}}}"
        for row in range(grid.rows)
    ]
    if grid.rows == 1:
        return f"  assign data = {parts[0]};\n"
    *cases, last = parts
    choice = "".join(f"chosen == {row} ? {part} :\n    " for row, part in enumerate(cases))
    top = shape.address_bits - 1
    return (
        f"  reg [{top - low}:0] chosen;\n"
        f"  always @(posedge clk) if (enable) chosen <= address[{top}:{low}];\n"
        f"  assign data = {choice}{last};\n"
    )
