"""Yosys' JSON netlists: reading them and counting cells."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MULTIPLIERS = frozenset(
    ("$mul", "$macc", "$macc_v2", "$div", "$mod", "$divfloor", "$modfloor", "$pow")  # before mapping
)
_GOWIN_DSP = (
    *("MULT9X9", "MULT18X18", "MULT36X36", "ALU54D"),
    *("MULTALU18X18", "MULTALU36X18", "MULTADDALU18X18"),
)
DSP_BLOCKS = frozenset(("MULT18X18D", "MULT9X9D", "ALU54B", "ALU24B", "SB_MAC16", "DSP48E1", *_GOWIN_DSP))

Bit = int | str
"""A net, or a constant: "0", "1", "x"."""

Load = tuple[str, str]
"""A cell and its pin that read a net; an output of the top module is a pin of the cell named ""."""


@dataclass(frozen=True)
class Netlist:
    """The top module of a yosys JSON netlist; the whole document is kept so that it can be written back."""

    document: dict[str, Any]
    top: str

    @classmethod
    def read(cls, path: Path, top: str) -> "Netlist":
        """The netlist in the file ``path``, whose top module is ``top``."""
        return cls(json.loads(path.read_text("utf-8")), top)

    def write(self, path: Path) -> None:
        """Write the netlist as JSON."""
        path.write_text(json.dumps(self.document), "utf-8")

    @property
    def cells(self) -> dict[str, Any]:
        """Cells of the top module by name."""
        cells: dict[str, Any] = self.document["modules"][self.top]["cells"]
        return cells

    @property
    def ports(self) -> dict[str, Any]:
        """Ports of the top module by name, in the order of the module's header."""
        ports: dict[str, Any] = self.document["modules"][self.top]["ports"]
        return ports

    def count(self) -> Counter[str]:
        """How many cells there are of each type."""
        return Counter(cell["type"] for cell in self.cells.values())

    def loads(self) -> dict[Bit, list[Load]]:
        """Every load of every net and constant that is read."""
        found: dict[Bit, list[Load]] = {}
        for name, cell in self.cells.items():
            for pin, bits in cell["connections"].items():
                if cell["port_directions"].get(pin) != "output":
                    for bit in bits:
                        found.setdefault(bit, []).append((name, pin))
        for name, port in self.ports.items():
            if port["direction"] != "input":
                for bit in port["bits"]:
                    found.setdefault(bit, []).append(("", name))
        return found


def count_of(counts: Counter[str], types: frozenset[str]) -> int:
    """How many cells are of one of ``types``."""
    return sum(counts[name] for name in types)
