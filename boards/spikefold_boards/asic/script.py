"""The scripts for yosys: from Verilog to gates of a library, and from a netlist to Verilog."""

from collections.abc import Sequence

from spikefold.flow.artefact import MEMORY_FOLDER, Artefact
from spikefold_boards.asic.libraries import CellLibrary

LIBERTY, CONSTRAINTS, BOXES = "cells.lib", "abc.constr", "boxes.v"
"""Files that the scripts read beside the design: the library, what drives and loads ports, black boxes."""
ELABORATED, MAPPED = "elaborated.json", "netlist.json"
"""Files that `mapping` writes."""
GATES, TIMED, MODELS = "gates.v", "timed.v", "models.v"
"""Verilog of the netlist for simulation and for timing, and of the library's gates."""


def constraints(library: CellLibrary) -> str:
    """What ABC is told of a design's ports."""
    return f"set_driving_cell {library.driver}\nset_load {library.load_ff} [all_outputs]\n"


def mapping(artefact: Artefact, boxed: Sequence[str], library: CellLibrary, period_ns: float) -> list[str]:
    """The script that maps a design's Verilog to gates, all but the files ``boxed``; `BOXES` stands for them.

    Operators are counted in `ELABORATED`, after flattening and folding of constants, as for an FPGA. Bits
    that are undefined become 0, and constants come from cells of their own.
    """
    unused = " ".join(f"-dont_use {name}" for name in library.unused)
    (high, high_pin), (low, low_pin) = library.high, library.low
    return [
        *([f"read_verilog -lib {BOXES}"] if boxed else []),
        *(f'read_verilog -defer "{name}"' for name in artefact.names if name not in boxed),
        f"hierarchy -check -top {artefact.top}{_folder(artefact)}",
        "proc",
        "flatten",
        "opt",
        f"write_json {ELABORATED}",
        f"synth -top {artefact.top}",
        f"dfflibmap -liberty {LIBERTY} {unused}",
        "opt",
        f"abc -liberty {LIBERTY} {unused} -D {1000 * period_ns:g} -constr {CONSTRAINTS}",
        "setundef -zero",
        f"hilomap -singleton -hicell {high} {high_pin} -locell {low} {low_pin}",
        "opt_clean -purge",
        f"read_liberty -lib -ignore_miss_func {LIBERTY}",  # tells which pins are outputs
        f"write_json {MAPPED}",
    ]


def writing(netlist: str, top: str, verilog: str) -> list[str]:
    """The script that writes the top module of a JSON netlist as Verilog."""
    return [
        f"read_json {netlist}",
        f"select -module {top}",
        f"write_verilog -noattr -noexpr -selected {verilog}",
    ]


def modelling(cells: Sequence[str]) -> list[str]:
    """The script that writes Verilog of what ``cells`` of the library do, by their liberty functions."""
    return [
        f"read_liberty -ignore_miss_func {LIBERTY}",
        "setattr -mod -unset blackbox -unset whitebox *",
        "select -none",
        *(f"select -add {name}" for name in cells),
        f"write_verilog -noattr -selected {MODELS}",
    ]


def _folder(artefact: Artefact) -> str:
    """The parameter that names the folder of images, as a binary constant, the form that yosys takes."""
    if artefact.mem is None:
        return ""
    bits = "".join(f"{byte:08b}" for byte in MEMORY_FOLDER.encode())
    return f" -chparam MEM_DIR {len(bits)}'b{bits}"
