"""Yosys' JSON netlists: reading, counting cells, and one improvement for ECP5 block RAM."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MULTIPLIERS = frozenset(
    ("$mul", "$macc", "$macc_v2", "$div", "$mod", "$divfloor", "$modfloor", "$pow")  # before mapping
)
DSP_BLOCKS = frozenset(("MULT18X18D", "MULT9X9D", "ALU54B", "ALU24B", "SB_MAC16", "DSP48E1"))

Bit = int | str


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
        return self.document["modules"][self.top]["cells"]

    @property
    def ports(self) -> dict[str, Any]:
        """Ports of the top module by name, in the order of the module's header."""
        return self.document["modules"][self.top]["ports"]

    def count(self) -> Counter[str]:
        """How many cells there are of each type."""
        return Counter(cell["type"] for cell in self.cells.values())


def count_of(counts: Counter[str], types: frozenset[str]) -> int:
    """How many cells are of one of ``types``."""
    return sum(counts[name] for name in types)


@dataclass(frozen=True)
class _ReadPort:
    """Names of one read port of an ECP5 block RAM: data, output register's mode and enable, reset, clock."""

    data: str
    mode: str
    enable: str
    reset: str
    clock: str
    polarity: str


_READ_PORTS = {
    "DP16KD": (
        _ReadPort("DOA", "REGMODE_A", "OCEA", "RSTA", "CLKA", "CLKAMUX"),
        _ReadPort("DOB", "REGMODE_B", "OCEB", "RSTB", "CLKB", "CLKBMUX"),
    ),
    "PDPW16KD": (_ReadPort("DO", "REGMODE", "OCER", "RST", "CLKR", "CLKRMUX"),),
}


def absorb_output_registers(netlist: Netlist) -> int:
    """Move flip-flops behind ECP5 block RAMs into the RAMs' own output registers.

    A block RAM's data appears 5.6 ns after the clock edge without its output register and 1.0 ns with it,
    and yosys never uses it. A read port's flip-flops are moved where every data bit in use drives exactly
    one flip-flop and nothing else, all of them on the RAM's clock edge, with one common clock enable (or
    none), no reset on either, and 0 as start value. The RAM's register has these same properties (its enable
    does not depend on the RAM's), so the behaviour stays the same, cycle by cycle.

    Returns the number of read ports changed.
    """
    loads = _loads(netlist)
    changed = 0
    for cell in [cell for cell in netlist.cells.values() if _has_own_registers(cell)]:
        for port in _READ_PORTS[cell["type"]]:
            changed += _absorb(netlist.cells, loads, cell, port)
    return changed


def _has_own_registers(cell: dict[str, Any]) -> bool:
    """Whether each port of a block RAM has an output register of its own.

    A DP16KD 36 bits wide reads through both data ports on one clock; how its two register modes then share
    the word is not documented, so such a RAM is left alone.
    """
    widths = (cell["parameters"].get(f"DATA_WIDTH_{port}", "0") for port in "AB")
    wide = cell["type"] == "DP16KD" and any(int(width, 2) == 36 for width in widths)
    return cell["type"] in _READ_PORTS and not wide


def _loads(netlist: Netlist) -> dict[Bit, list[tuple[str, str]]]:
    """Every (cell, pin) that reads a bit; outputs of the top module read as the cell named ''."""
    loads: dict[Bit, list[tuple[str, str]]] = {}
    for name, cell in netlist.cells.items():
        for pin, bits in cell["connections"].items():
            if cell["port_directions"].get(pin) != "output":
                for bit in bits:
                    loads.setdefault(bit, []).append((name, pin))
    for name, port in netlist.ports.items():
        if port["direction"] != "input":
            for bit in port["bits"]:
                loads.setdefault(bit, []).append(("", name))
    return loads


def _absorb(
    cells: dict[str, Any], loads: dict[Bit, list[tuple[str, str]]], ram: dict[str, Any], port: _ReadPort
) -> bool:
    readers: dict[str, str] = {}  # data pin: the flip-flop behind it
    for pin, bits in ram["connections"].items():
        if not (pin.startswith(port.data) and pin[len(port.data) :].isdecimal() and bits[0] in loads):
            continue
        (name, reader_pin), *others = loads[bits[0]]
        if others or reader_pin != "DI" or cells.get(name, {}).get("type") != "TRELLIS_FF":
            return False
        readers[pin] = name
    enables = {_absorbable_enable(cells[name], ram, port) for name in readers.values()}
    if len(enables) != 1 or None in enables:
        return False
    ram["parameters"][port.mode] = "OUTREG"
    ram["connections"][port.enable] = [enables.pop()]
    for pin, name in readers.items():
        ram["connections"][pin] = cells.pop(name)["connections"]["Q"]
    return True


def _absorbable_enable(flip_flop: dict[str, Any], ram: dict[str, Any], port: _ReadPort) -> Bit | None:
    """The clock enable of a flip-flop that the RAM's register can replace, "1" for always; else None."""
    pins, parameters = flip_flop["connections"], flip_flop["parameters"]
    inverted_ram = ram["parameters"].get(port.polarity) == "INV"
    inverted = parameters.get("CLKMUX") == "INV"
    same_edge = pins["CLK"] == ram["connections"][port.clock] and inverted == inverted_ram
    no_reset = pins.get("LSR", ["0"]) == ["0"] == ram["connections"].get(port.reset, ["0"])
    plain = no_reset and parameters.get("REGSET", "RESET") == "RESET"
    mode = parameters.get("CEMUX", "CE").strip()
    if not (same_edge and plain and mode in ("CE", "1")):
        return None
    return pins.get("CE", ["1"])[0] if mode == "CE" else "1"
