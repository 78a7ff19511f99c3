"""The scripts for yosys: elaborating a design, and mapping it to the cells of a device."""

from collections.abc import Sequence

from spikefold.flow.artefact import MEMORY_FOLDER, Artefact
from spikefold_boards.contents.roms import RomShape
from spikefold_boards.fpgas import Fpga

ELABORATED, MAPPED, HARNESS = "elaborated.json", "netlist.json", "harness.v"
"""Files that the scripts write, and the one that the second reads."""

BLACK_BOXES, ROMS = "black_boxes.v", "roms.v"
"""Files with the read-only memories in block RAM: empty for the first script, in cells for the second."""

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
# Enables and resets of fewer flip-flops than this become logic in front of them. The eight cells of a tile
# of an iCE40 share theirs, and a design with many of them cannot be packed. Digits with the UART host, cells
# (LUTs and flip-flops without one) / different pairs of enable and reset, by the bound:
#   none  4593 / 183 (UP5K has 5280 cells, but the placer finds no legal place)
#   8     4566 / 72
#   20    4626 / 22
_FEWEST = 8
# The cells are those that synth_ice40 gives to the same step.
_ICE40_FLIP_FLOPS = (
    "dfflegalize -cell $_DFF_?_ 0 -cell $_DFFE_?P_ 0 -cell $_DFF_?P?_ 0 -cell $_DFFE_?P?P_ 0 "
    f"-cell $_SDFF_?P?_ 0 -cell $_SDFFCE_?P?P_ 0 -cell $_DLATCH_?_ x -mince {_FEWEST} -minsrst {_FEWEST}"
)
_MAPPING = {
    "ecp5": (
        f"synth_ecp5 -top {{top}} {_ECP5_OPTIONS} -run begin:map_luts",
        "abc -lut 4 -dress",
        "clean",
        f"synth_ecp5 -top {{top}} {_ECP5_OPTIONS} -run map_cells:",
    ),
    "ice40": (
        "synth_ice40 -top {top} -device {variant} -run begin:map_ffs",
        _ICE40_FLIP_FLOPS,
        "synth_ice40 -top {top} -device {variant} -run map_ffs:",
    ),
    "gowin": ("synth_gowin -top {top} -family {variant}",),
    "xc7": ("synth_xilinx -top {top} -family xc7 -flatten",),
}


def elaboration(artefact: Artefact) -> list[str]:
    """The script that elaborates an artefact, writes `design.il` and counts its operators in `ELABORATED`.

    Where the design has images, the parameter ``MEM_DIR`` of the top module is set to `MEMORY_FOLDER`. It
    travels as a binary constant, the only form that ``hierarchy -chparam`` takes for a string. Reading is
    deferred because yosys otherwise elaborates each module with its default parameters first, whose images
    need not exist. Operators are counted after flattening, so each instance counts, and after constants
    are folded, so an index times a power of two is not a multiplier. Read-only memories in block RAM stay
    black boxes: what is in their place depends on the device.
    """
    parameter = ""
    if artefact.mem is not None:
        bits = "".join(f"{byte:08b}" for byte in MEMORY_FOLDER.encode())
        parameter = f" -chparam MEM_DIR {len(bits)}'b{bits}"
    return [
        f"read_verilog {BLACK_BOXES}",
        *(f'read_verilog -defer "{path.name}"' for path in artefact.rtl if RomShape.of(path.stem) is None),
        f"hierarchy -check -top {artefact.top}{parameter}",
        "write_rtlil design.il",
        "proc",
        "flatten",
        "opt",
        "delete t:$meminit*",  # contents only: they would fill the file
        f"write_json {ELABORATED}",
    ]


def mapping(
    top: str, device: Fpga, harness: bool, roms: Sequence[str] = (), files: Sequence[str] = ()
) -> list[str]:
    """The script that maps `design.il` to a device's cells, the module ``top`` of `HARNESS` around it.

    The black boxes ``roms`` are replaced by the modules in ``files``.
    """
    inside = [*(f"delete ={rom}" for rom in roms), *(f'read_verilog -defer "{name}"' for name in files)]
    around = ["setattr -mod -unset top *", f"read_verilog {HARNESS}"] if harness else []
    cells = [line.format(top=top, variant=device.variant) for line in _MAPPING[device.family]]
    return ["read_rtlil design.il", *inside, *around, *cells, f"write_json {MAPPED}"]
