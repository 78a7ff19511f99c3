"""Read-only memories in cells of a device hold their images, and answer as the Verilog they replace."""

from pathlib import Path

import numpy as np
import pytest
from gate_cells import DP16KD, ice40_cells
from rom_case import Size, drawn, write_design

from spikefold.errors import InputError
from spikefold.flow.artefact import Artefact
from spikefold.flow.run import run
from spikefold.flow.tools import Tool, find_tool
from spikefold_boards.contents.fill import blocks_of, fill, read_images
from spikefold_boards.contents.images import read_image
from spikefold_boards.contents.roms import BLOCK_RAMS, Grid, RomShape, rom_verilog
from spikefold_boards.netlist import Netlist
from spikefold_hw.parts.images import Image

SIZES = ((4, 3136), (20, 96), (3, 10), (33, 300), (1, 2), (9, 2049), (40, 600), (2, 5000))
READS = 120

BENCH = """
`timescale 1ns / 1ps
module bench;
  reg clk = 0;
  reg [13:0] reads [0:{reads}-1];
  integer k;
  wire [{bits}:0] data;
  memories dut(.clk(clk), .enable(reads[k][13]), .address(reads[k][12:0]), .data(data));
  initial begin
    $readmemh("reads.hex", reads);
    for (k = 0; k < {reads}; k = k + 1) begin
      #5 clk = 1;
      #4 $display("%b", data);
      #1 clk = 0;
    end
    $finish;
  end
endmodule
"""


@pytest.fixture(scope="module")
def images() -> dict[Size, Image]:
    return drawn(SIZES, seed=5)


@pytest.fixture
def memories(tmp_path: Path, images: dict[Size, Image]) -> Artefact:
    """A memory of every size, all on one address."""
    ports = "input clk, input enable, input [12:0] address, output [DATA:0] data"
    return write_design(tmp_path / "design", "memories", ports, "", images)


def in_cells(memories: Artefact, family: str, folder: Path) -> None:
    """Write the netlist of the memories to the folder; `map_to_device` would take longer."""
    ram, libraries = BLOCK_RAMS[family], {"ice40": "ice40/cells_sim.v", "ecp5": "ecp5/cells_sim.v"}
    roms = [shape for path in memories.rtl if (shape := RomShape.of(path.stem)) is not None]
    folder.mkdir()
    (folder / "roms.v").write_text("".join(rom_verilog(rom, ram) for rom in roms))
    (top,) = (path for path in memories.rtl if path.stem == "memories")
    (folder / "memories.v").write_text(top.read_text())
    run_yosys(
        folder,
        "read_verilog -defer roms.v memories.v",
        f"read_verilog -lib +/{libraries[family]}",
        "hierarchy -purge_lib -check -top memories",
        "proc; flatten; opt; write_json netlist.json",
    )
    netlist = Netlist.read(folder / "netlist.json", "memories")
    fill(netlist, ram, read_images(blocks_of(netlist), memories.mem or folder))
    netlist.write(folder / "netlist.json")
    run_yosys(folder, "read_json netlist.json", "simplemap; write_verilog -noattr gates.v")


def run_yosys(folder: Path, *lines: str) -> None:
    (folder / "script.ys").write_text("\n".join(lines) + "\n")
    run(find_tool("yosys"), ("-q", "script.ys"), folder)


@pytest.mark.icarus
@pytest.mark.parametrize(("family", "cells"), [("ice40", ice40_cells()), ("ecp5", DP16KD.read_text())])
def test_netlist_answers_with_the_rows(
    memories: Artefact, images: dict[Size, Image], tmp_path: Path, family: str, cells: str
) -> None:
    folder = tmp_path / "work"
    in_cells(memories, family, folder)
    seen = simulated(folder, cells)
    shown = dict.fromkeys(images, 0)
    words = {size: image.words for size, image in images.items()}
    compared = 0
    for read, line in zip(reads(), seen, strict=True):
        for bits, rows in images if read >> 13 else ():
            address = int(read) % (1 << (rows - 1).bit_length())
            shown[bits, rows] = words[bits, rows][address] if address < rows else -1
        base = 0
        for (bits, _), value in shown.items():
            if value >= 0 and read >> 13:
                assert line[len(line) - base - bits : len(line) - base] == f"{value:0{bits}b}"
                compared += 1
            base += bits
    assert compared > READS


def reads() -> np.ndarray:
    """What is read in each cycle: an address of 13 bits, and above it whether it counts."""
    return np.random.default_rng(6).integers(0, 1 << 14, READS)


def simulated(folder: Path, cells: str) -> list[str]:
    """What the netlist in a folder shows after each read, in binary."""
    (folder / "bench.v").write_text(BENCH.format(reads=READS, bits=sum(bits for bits, _ in SIZES) - 1))
    (folder / "reads.hex").write_text("\n".join(f"{read:x}" for read in reads()))
    (folder / "cells.v").write_text(cells)
    sources = ("bench.v", "gates.v", "cells.v")
    run(Tool("iverilog", ("iverilog",)), ("-g2012", "-s", "bench", "-o", "sim", *sources), folder)
    return run(Tool("vvp", ("vvp",)), ("-n", "sim"), folder).output.split()


@pytest.mark.parametrize(
    ("family", "bits", "rows", "grid"),
    [
        ("ecp5", 4, 3136, Grid(4, 1, 1)),
        ("ecp5", 20, 96, Grid(36, 1, 1)),
        ("ecp5", 40, 600, Grid(18, 3, 1)),
        ("ice40", 4, 3136, Grid(2, 2, 2)),
        ("ice40", 20, 96, Grid(16, 2, 1)),
        ("ice40", 3, 10, Grid(4, 1, 1)),
    ],
)
def test_fewest_blocks_are_taken(family: str, bits: int, rows: int, grid: Grid) -> None:
    assert Grid.of(RomShape("rom", bits, rows), BLOCK_RAMS[family]) == grid


@pytest.mark.parametrize(
    "module",
    ["spikefold_rom_4x9_distributed", "spikefold_ram_4x10", "spikefold_rom_4x1", "a_spikefold_rom_4x9"],
)
def test_what_is_no_rom_in_block_ram_is_left_to_yosys(module: str) -> None:
    assert RomShape.of(module) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n2\n", r"\AMemory image 'a\.mem' must have the 3 rows of spikefold_rom_5x3, not 2\Z"),
        ("1\n20\n3\n", r"\AMemory image 'a\.mem' must hold hexadecimal rows of 5 bits, but was edited\Z"),
        ("1\n100\n3\n", r"\AMemory image 'a\.mem' must hold hexadecimal rows"),
        ("1\n-2\n3\n", r"\AMemory image 'a\.mem' must hold hexadecimal rows"),
        ("1\nx\n3\n", r"\AMemory image 'a\.mem' must hold hexadecimal rows"),
        (None, r"\AMemory image 'a\.mem' "),
    ],
)
def test_broken_image_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "a.mem").write_text(text)
    with pytest.raises(InputError, match=message):
        read_image(tmp_path / "a.mem", RomShape("spikefold_rom_5x3", 5, 3))
