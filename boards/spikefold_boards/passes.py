"""What is done to a design between its Verilog and place and route: yosys' passes, and one of our own."""

from dataclasses import dataclass
from typing import Any

from spikefold.flow.artefact import MEMORY_FOLDER, Artefact
from spikefold_boards.devices import Device
from spikefold_boards.netlist import Netlist

ELABORATED, MAPPED, HARNESS = "elaborated.json", "netlist.json", "harness.v"
"""Files that the scripts write, and the one that the second reads."""

# Measured on 32 lanes (4-bit weights from block RAM, shifter, 16-bit accumulators, drain multiplexer),
# nextpnr-ecp5, three seeds each; TRELLIS_COMB / Fmax in MHz:
#   synth_ecp5                             1607 / 126 to 147
#   -nowidelut (PFUMUX cannot pay here)    1509 / 134 to 143
#   -nowidelut, abc in place of abc9       1464 / 133 to 143
#   the last with RAM output registers     1464 / 160 to 164   (absorb_output_registers)
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
        "synth_ice40 -top {top} -device {variant} -run begin:map_ram",
        "memory_libmap -lib +/ice40/brams.txt -lib +/ice40/spram.txt -no-auto-huge",
        "setparam -unset INIT t:$__ICE40_RAM4K_",
        "synth_ice40 -top {top} -device {variant} -run map_ram:",
    ),
    "xc7": ("synth_xilinx -top {top} -family xc7 -flatten",),
}


def elaboration(artefact: Artefact) -> list[str]:
    """The script that elaborates an artefact, writes `design.il` and counts its operators in `ELABORATED`.

    Where the design has images, the parameter ``MEM_DIR`` of the top module is set to `MEMORY_FOLDER`. It
    travels as a binary constant, the only form that ``hierarchy -chparam`` takes for a string. Reading is
    deferred because yosys otherwise elaborates each module with its default parameters first, whose images
    need not exist. Operators are counted after flattening, so each instance counts, and after constants
    are folded, so an index times a power of two is not a multiplier.
    """
    parameter = ""
    if artefact.mem is not None:
        bits = "".join(f"{byte:08b}" for byte in MEMORY_FOLDER.encode())
        parameter = f" -chparam MEM_DIR {len(bits)}'b{bits}"
    return [
        *(f'read_verilog -defer "{name}"' for name in artefact.names),
        f"hierarchy -check -top {artefact.top}{parameter}",
        "write_rtlil design.il",
        "proc",
        "flatten",
        "opt",
        "delete t:$meminit*",  # contents only: they would fill the file
        f"write_json {ELABORATED}",
    ]


def mapping(top: str, device: Device, harness: bool) -> list[str]:
    """The script that maps `design.il` to a device's cells, the module ``top`` of `HARNESS` around it."""
    around = ["setattr -mod -unset top *", f"read_verilog {HARNESS}"] if harness else []
    cells = [line.format(top=top, variant=device.variant) for line in _MAPPING[device.family]]
    return ["read_rtlil design.il", *around, *cells, f"write_json {MAPPED}"]


Bit = int | str


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
