"""Counting LUTs, flip-flops and block RAMs in a mapped netlist, where nextpnr does not count them."""

from collections import Counter

from spikefold_boards.fpgas import Fpga
from spikefold_boards.netlist import DSP_BLOCKS, count_of

# LUTs that a cell of the 7 series takes (a six-input LUT each; UG474 tables 2-3 to 2-5).
_XC7_LUTS = {
    **{f"LUT{inputs}": 1 for inputs in range(1, 7)},
    "SRL16E": 1,
    "SRLC32E": 1,
    "RAM32X1S": 1,
    "RAM64X1S": 1,
    "RAM128X1S": 2,
    "RAM256X1S": 4,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
    "RAM32M": 4,
    "RAM64M": 4,
}


def resources_from_netlist(counts: Counter[str], device: Fpga) -> dict[str, int]:
    """``lut``, ``ff``, ``bram`` and ``dsp`` of a netlist with these cell ``counts``.

    On ECP5, iCE40 and Gowin a LUT or RAM figure from the netlist is only a first count: packing turns
    carry chains into LUTs, so nextpnr's figures replace those it has.
    """
    luts = sum(counts[name] * weight for name, weight in _LUTS[device.family].items())
    brams = sum(counts[name] * half for name, half in _HALF_BRAMS[device.family].items())
    flip_flops = sum(number for name, number in counts.items() if name.startswith(_FLIP_FLOPS[device.family]))
    return {"lut": luts, "ff": flip_flops, "bram": -(-brams // 2), "dsp": count_of(counts, DSP_BLOCKS)}


_GOWIN_LUTS = {**{f"LUT{inputs}": 1 for inputs in range(1, 5)}, "ALU": 1, "RAM16SDP4": 4}
_LUTS = {
    "ecp5": {"LUT4": 1, "CCU2C": 2},
    "ice40": {"SB_LUT4": 1},
    "gowin": _GOWIN_LUTS,
    "xc7": _XC7_LUTS,
}
_HALF_BRAMS = {
    "ecp5": {"DP16KD": 2, "PDPW16KD": 2},
    "ice40": {"SB_RAM40_4K": 2},
    "gowin": dict.fromkeys(("SP", "SPX9", "SDPB", "SDPX9B", "DPB", "DPX9B", "pROM", "pROMX9"), 2),
    "xc7": {"RAMB18E1": 1, "RAMB36E1": 2},  # 18 and 36 kbit: two of the former share a block
}
_FLIP_FLOPS = {
    "ecp5": ("TRELLIS_FF",),
    "ice40": ("SB_DFF",),
    "gowin": ("DFF",),
    "xc7": ("FDRE", "FDSE", "FDCE", "FDPE"),
}
