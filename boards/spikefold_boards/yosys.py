"""The two yosys runs: elaborate a design and count its multipliers, and map it to a device."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikefold_boards.design import MEMORY_FOLDER, Design
from spikefold_boards.netlist import MULTIPLIERS, Netlist, count_of
from spikefold_boards.tools import Tool, run_tool

# Measured on 32 lanes (4-bit weights from block RAM, shifter, 16-bit accumulators, drain multiplexer),
# nextpnr-ecp5, three seeds each; TRELLIS_COMB / Fmax in MHz:
#   synth_ecp5                             1607 / 126 to 147
#   -nowidelut (PFUMUX cannot pay here)    1509 / 134 to 143
#   -nowidelut, abc in place of abc9       1464 / 133 to 143
#   the last with RAM output registers     1464 / 160 to 164   (netlist.absorb_output_registers)
# On the whole 784-128-10 network: 2773 / 145, 2704 / 143 and 2655 / 143 for the three, all with RAM output
# registers, best of three seeds.
# -noccu2 cost 30 % and -nodffe 67 % more LUTs; -dff, more passes before mapping and other abc scripts
# changed nothing for the better.
_ECP5_OPTIONS = "-nowidelut"
_MAPPING = {
    "ecp5": (
        f"synth_ecp5 -top {{top}} {_ECP5_OPTIONS} -run begin:map_luts",
        "abc -lut 4 -dress",
        "clean",
        f"synth_ecp5 -top {{top}} {_ECP5_OPTIONS} -run map_cells:",
    ),
    # Contents are dropped before mapping: techmap derives one module per different content, 0.7 s each
    # (129 s against 10 s for 128 RAMs), and the figures do not depend on them.
    "ice40": (
        "synth_ice40 -top {top} -device u -run begin:map_ram",
        "memory_libmap -lib +/ice40/brams.txt -lib +/ice40/spram.txt -no-auto-huge",
        "setparam -unset INIT t:$__ICE40_RAM4K_",
        "synth_ice40 -top {top} -device u -run map_ram:",
    ),
    "xc7": ("synth_xilinx -top {top} -family xc7 -flatten",),
}


@dataclass(frozen=True)
class Elaborated:
    """What elaboration found: ports of the top module (as in a yosys netlist) and multiplier count."""

    ports: Mapping[str, Any]
    multipliers: int


def elaborate(tool: Tool, design: Design, directory: Path) -> Elaborated:
    """Elaborate the copy of ``design`` in ``directory``, leaving ``design.il`` there.

    Where the design has images, the parameter ``MEM_DIR`` of the top module is set to `MEMORY_FOLDER`. It
    travels as a binary constant, the only form that ``hierarchy -chparam`` takes for a string. Reading is
    deferred because yosys otherwise elaborates each module with its default parameters first, whose images
    need not exist. Operators are counted after flattening, so each instance counts, and after constants
    are folded, so an index times a power of two is not a multiplier.
    """
    parameter = ""
    if design.mem_dir is not None:
        bits = "".join(f"{byte:08b}" for byte in MEMORY_FOLDER.encode())
        parameter = f" -chparam MEM_DIR {len(bits)}'b{bits}"
    script = (
        *(f'read_verilog -defer "{name}"' for name in design.file_names),
        f"hierarchy -check -top {design.top}{parameter}",
        "write_rtlil design.il",
        "proc",
        "flatten",
        "opt",
        "delete t:$meminit*",  # contents only: they would fill the file
        "write_json elaborated.json",
    )
    _run_script(tool, "elaborate.ys", script, directory)
    netlist = Netlist.read(directory / "elaborated.json", design.top)
    return Elaborated(netlist.ports, count_of(netlist.count(), MULTIPLIERS))


def map_to_device(tool: Tool, top: str, harness: str | None, family: str, directory: Path) -> Netlist:
    """Map ``design.il`` in ``directory`` to cells of ``family``, inside ``harness`` (Verilog) if given."""
    script = ["read_rtlil design.il"]
    if harness is not None:
        (directory / "harness.v").write_text(harness, "utf-8")
        top = f"{top}_harness"
        script += ["setattr -mod -unset top *", "read_verilog harness.v"]
    script += [line.format(top=top) for line in _MAPPING[family]]
    script += ["write_json netlist.json"]
    _run_script(tool, "map.ys", script, directory)
    return Netlist.read(directory / "netlist.json", top)


def _run_script(tool: Tool, name: str, lines: Sequence[str], directory: Path) -> None:
    (directory / name).write_text("\n".join(lines) + "\n", "utf-8")
    run_tool(tool, ("-q", name), directory)
