"""Moving flip-flops into the output registers of ECP5 block RAMs, which yosys never uses."""

from dataclasses import dataclass
from typing import Any

from spikefold_boards.netlist import Bit, Load, Netlist

Cell = dict[str, Any]


@dataclass(frozen=True)
class _ReadPort:
    """Pins and parameters of one read port of an ECP5 block RAM.

    Attributes
    ----------
    clock, polarity
        Pin of its clock, and the parameter that says which edge counts.
    data
        What the names of its data pins begin with, by half.
    modes, enables, resets
        Parameter of the output register's mode, pins of its enable and reset, by half.
    idle_clock
        Pin of the clock of the port whose data pins it takes over; "" where it has pins of its own.
    """

    clock: str
    polarity: str
    data: tuple[str, ...]
    modes: tuple[str, ...]
    enables: tuple[str, ...]
    resets: tuple[str, ...]
    idle_clock: str = ""


_A = _ReadPort("CLKA", "CLKAMUX", ("DOA",), ("REGMODE_A",), ("OCEA",), ("RSTA",))
_B = _ReadPort("CLKB", "CLKBMUX", ("DOB",), ("REGMODE_B",), ("OCEB",), ("RSTB",))
_WIDE = _ReadPort(
    "CLKB",
    "CLKBMUX",
    ("DOA", "DOB"),
    ("REGMODE_A", "REGMODE_B"),
    ("OCEA", "OCEB"),
    ("RSTA", "RSTB"),
    idle_clock="CLKA",
)
_PDPW = _ReadPort("CLKR", "CLKRMUX", ("DO",), ("REGMODE",), ("OCER",), ("RST",))


def absorb_output_registers(netlist: Netlist) -> int:
    """Move flip-flops behind ECP5 block RAMs into the RAMs' own output registers.

    A block RAM's data appears 5.6 ns after the clock edge without its output register and 1.0 ns with it,
    and yosys never uses it. A read port's flip-flops are moved where every data bit in use drives exactly
    one flip-flop and nothing else, all of them on the RAM's clock edge, with one common clock enable (or
    none), no reset on either, and 0 as start value. The RAM's register has these same properties (its enable
    does not depend on the RAM's), so the behaviour stays the same, cycle by cycle.

    A DP16KD that is read 36 bits wide has its low half on the data pins of port A. Both halves get the same
    mode and the same enable, as nextpnr has it for a PDPW16KD, and both ports the same clock, so that
    it does not matter which of the two clocks the low half.

    Returns the number of read ports changed.
    """
    loads = netlist.loads()
    return sum(
        _absorb(netlist.cells, loads, cell, port)
        for cell in list(netlist.cells.values())
        for port in _read_ports(cell)
    )


def _read_ports(ram: Cell) -> tuple[_ReadPort, ...]:
    """The ports of a cell that have an output register; none if it is no block RAM."""
    if ram["type"] == "PDPW16KD":
        return (_PDPW,)
    if ram["type"] != "DP16KD":
        return ()
    widths = [int(ram["parameters"].get(f"DATA_WIDTH_{port}", "0"), 2) for port in "AB"]
    if widths[1] == 36:
        return (_WIDE,)
    return () if widths[0] == 36 else (_A, _B)


def _absorb(cells: dict[str, Cell], loads: dict[Bit, list[Load]], ram: Cell, port: _ReadPort) -> bool:
    readers: dict[str, str] = {}  # data pin: the flip-flop behind it
    for pin, bits in ram["connections"].items():
        if not (pin.rstrip("0123456789") in port.data and bits[0] in loads):
            continue
        (name, reader_pin), *others = loads[bits[0]]
        if others or reader_pin != "DI" or cells.get(name, {}).get("type") != "TRELLIS_FF":
            return False
        readers[pin] = name
    enables = {_absorbable_enable(cells[name], ram, port) for name in readers.values()}
    if len(enables) != 1 or None in enables or not _share_clock(ram, port):
        return False
    (enable,) = enables
    ram["parameters"] |= dict.fromkeys(port.modes, "OUTREG")
    ram["connections"] |= {pin: [enable] for pin in port.enables}
    for pin, name in readers.items():
        ram["connections"][pin] = cells.pop(name)["connections"]["Q"]
    return True


def _share_clock(ram: Cell, port: _ReadPort) -> bool:
    """Whether the other port's pins can be read with the port's clock; an unused clock is connected."""
    if not port.idle_clock:
        return True
    pins, clock = ram["connections"], ram["connections"][port.clock]
    if ram["parameters"].get("CLKAMUX", "CLKA") == "INV" or ram["parameters"].get("CLKBMUX", "CLKB") == "INV":
        return False
    if isinstance(pins.get(port.idle_clock, ["0"])[0], str):
        pins[port.idle_clock] = clock
    return bool(pins[port.idle_clock] == clock)


def _absorbable_enable(flip_flop: Cell, ram: Cell, port: _ReadPort) -> Bit | None:
    """The clock enable of a flip-flop that the RAM's register can replace, "1" for always; else None."""
    pins, parameters = flip_flop["connections"], flip_flop["parameters"]
    inverted_ram = ram["parameters"].get(port.polarity) == "INV"
    inverted = parameters.get("CLKMUX") == "INV"
    same_edge = pins["CLK"] == ram["connections"][port.clock] and inverted == inverted_ram
    resets = [pins.get("LSR", ["0"]), *(ram["connections"].get(reset, ["0"]) for reset in port.resets)]
    plain = resets == [["0"]] * len(resets) and parameters.get("REGSET", "RESET") == "RESET"
    mode = parameters.get("CEMUX", "CE").strip()
    if not (same_edge and plain and mode in ("CE", "1")):
        return None
    return pins.get("CE", ["1"])[0] if mode == "CE" else "1"
