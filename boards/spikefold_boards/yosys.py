"""The two yosys runs: elaborate a design and count its multipliers, and map it to a device."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikefold.flow.artefact import MEMORY_FOLDER, Artefact
from spikefold.flow.run import run
from spikefold.flow.tools import Tool
from spikefold.formats.text import read_verilog
from spikefold_boards.block_ram import absorb_output_registers
from spikefold_boards.carry_chain import fold_addends
from spikefold_boards.contents.fill import blocks_of, fill, read_images
from spikefold_boards.contents.roms import BLOCK_RAMS, RomShape, black_box, rom_verilog
from spikefold_boards.fpgas import Fpga
from spikefold_boards.netlist import MULTIPLIERS, Netlist, count_of
from spikefold_boards.passes import BLACK_BOXES, ELABORATED, HARNESS, MAPPED, ROMS, elaboration, mapping

_READMEM = re.compile(r"\$readmem[hb]\s*\([^;]*\)\s*;")


@dataclass(frozen=True)
class Elaborated:
    """What elaboration found: ports of the top module (as in a yosys netlist) and multiplier count."""

    ports: Mapping[str, Any]
    multipliers: int


def copy_files(artefact: Artefact, directory: Path) -> None:
    """Copy an artefact into ``directory``: the WebAssembly tools see little outside it."""
    (directory / MEMORY_FOLDER).mkdir()
    for path in artefact.rtl:
        shutil.copyfile(path, directory / path.name)
    for path in artefact.images:
        shutil.copyfile(path, directory / MEMORY_FOLDER / path.name)


def copy_without_images(artefact: Artefact, directory: Path) -> None:
    """Copy the Verilog with its ``$readmem`` calls taken out, for checks that need no contents."""
    for path in artefact.rtl:
        verilog = read_verilog(path)
        (directory / path.name).write_text(_READMEM.sub("begin end", verilog), "utf-8")


def elaborate(tool: Tool, artefact: Artefact, directory: Path, timeout: float | None = None) -> Elaborated:
    """Elaborate the copy of ``artefact`` in ``directory``; leaves ``design.il`` there for `map_to_device`."""
    boxes = "".join(black_box(shape) for shape in _roms(directory))
    (directory / BLACK_BOXES).write_text(boxes, "utf-8")
    _run_script(tool, "elaborate.ys", elaboration(artefact), directory, timeout)
    netlist = Netlist.read(directory / ELABORATED, artefact.top)
    return Elaborated(netlist.ports, count_of(netlist.count(), MULTIPLIERS))


def map_to_device(
    tool: Tool, top: str, harness: str | None, device: Fpga, directory: Path, timeout: float | None = None
) -> Netlist:
    """Map ``design.il`` in ``directory`` to cells of ``device``, inside ``harness`` (Verilog) if given.

    The netlist, which is left there as `MAPPED` too, has been through our own steps as well.
    """
    if harness is not None:
        (directory / HARNESS).write_text(harness, "utf-8")
        top = f"{top}_harness"
    roms, ram = _roms(directory), BLOCK_RAMS.get(device.family)
    names = [rom.module for rom in roms]
    files = [f"{name}.v" for name in names] if ram is None else [ROMS]
    if ram is not None:
        (directory / ROMS).write_text("".join(rom_verilog(rom, ram) for rom in roms), "utf-8")
    _run_script(tool, "map.ys", mapping(top, device, harness is not None, names, files), directory, timeout)
    netlist = Netlist.read(directory / MAPPED, top)
    if device.family == "ecp5":
        absorb_output_registers(netlist)
        fold_addends(netlist)
    if ram is not None:
        fill(netlist, ram, read_images(blocks_of(netlist), directory / MEMORY_FOLDER))
        netlist.write(directory / MAPPED)
    return netlist


def _roms(directory: Path) -> list[RomShape]:
    """The read-only memories in block RAM among the Verilog files."""
    return [shape for path in sorted(directory.glob("*.v")) if (shape := RomShape.of(path.stem)) is not None]


def _run_script(tool: Tool, name: str, lines: Sequence[str], directory: Path, timeout: float | None) -> None:
    (directory / name).write_text("\n".join(lines) + "\n", "utf-8")
    run(tool, ("-q", name), directory, timeout=timeout)
