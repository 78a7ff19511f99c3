"""Switching activity: what a SAIF file of a gate-level run says of every net of a netlist."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spikefold.errors import ToolError
from spikefold_boards.asic.memories import READS, WRITES
from spikefold_boards.netlist import Netlist

CYCLE = 10
"""Time of a clock cycle in the run."""

_SCOPE = re.compile(r"\(INSTANCE (\S+)\Z")
_NET = re.compile(r"\((\S+) \(T0 (\d+)\) \(T1 (\d+)\).* \(TC (\d+)\)\)\Z")
_DURATION = re.compile(r"\(DURATION (\d+)\)")


@dataclass(frozen=True)
class Switching:
    """What nets did in a run.

    Attributes
    ----------
    cycles
        How long it was.
    nets
        How often each net changed, by its path. A net that is high when the run begins counts one change too
        many, unless it never changes.
    """

    cycles: int
    nets: Mapping[str, int]

    @classmethod
    def read(cls, path: Path, instance: str) -> "Switching":
        """What the SAIF file says of the nets in ``instance``, paths beginning there."""
        duration, scopes, nets = 0, [], {}
        with path.open(encoding="utf-8") as file:
            for line in map(str.strip, file):
                if found := _SCOPE.match(line):
                    scopes.append(found[1])
                elif line == "(NET":
                    scopes.append("")
                elif line == ")" and scopes:
                    scopes.pop()
                elif found := _DURATION.match(line):
                    duration = int(found[1])
                elif found := _NET.match(line):
                    name = "/".join([*filter(None, scopes), found[1].replace("\\", "")])
                    if name.startswith(f"{instance}/"):
                        low, high, changes = (int(number) for number in found.groups()[1:])
                        still = not (low and high)
                        nets[name.removeprefix(f"{instance}/")] = 0 if still else changes
        return cls(duration // CYCLE, nets)

    def changes(self, net: str) -> int:
        """How often a net changed; raises ToolError if the run knows nothing of it."""
        if net not in self.nets:
            raise ToolError(f"Simulation must tell the activity of every net, but not of {net!r}")
        return self.nets[net]

    def accesses(self, cell: str) -> tuple[int, int]:
        """How often the memory that is this cell was read and written."""
        return self.changes(f"{cell}/{READS}"), self.changes(f"{cell}/{WRITES}")


def net_names(netlist: Netlist) -> dict[int | str, str]:
    """The name of every net of a plain netlist, a port's with its place in the port."""
    names: dict[int | str, str] = {}
    module = netlist.document["modules"][netlist.top]
    for name, net in (*module["netnames"].items(), *module["ports"].items()):
        bits = net["bits"]
        names |= {bit: name if len(bits) == 1 else f"{name}[{k}]" for k, bit in enumerate(bits)}
    return names
