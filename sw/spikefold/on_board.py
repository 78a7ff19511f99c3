"""A design on a board: its bitstream, and whether it fits."""

from functools import partial
from pathlib import Path
from typing import Any

from spikefold.attached.gateware import BAUD, uart_host
from spikefold.design import Design
from spikefold.device_fit import block_ram_need
from spikefold.files import as_path
from spikefold.numbers import number
from spikefold_boards.boards.bitstream import Options, bitstream
from spikefold_boards.boards.board import Board, find_board
from spikefold_boards.boards.family import OpenFamily
from spikefold_boards.boards.patching import patch
from spikefold_boards.boards.result import BitstreamResult
from spikefold_boards.boards.vivado import write_project
from spikefold_boards.patch.record import Record
from spikefold_hw.cost import Cost

HOST_LUTS = 600
"""What a host on a UART takes, with PLL and reset, roughly."""


def make_bitstream(
    design: Design,
    board: str,
    output: Path | str,
    options: Options | None = None,
    *,
    baud: int = BAUD,
    use_cache: bool = True,
) -> BitstreamResult:
    """Make the bitstream of a design with a host on a UART, or the project of a vendor's tool.

    Parameters
    ----------
    design
        Its input must be checked.
    board
        A name of `spikefold_boards.boards.board.BOARDS`.
    output
        The folder that is written, see `docs/boards.md`; nothing where the design does not fit.
    options
        Clock, seeds, limit of time and progress.
    baud
        Bits a second of the serial line.
    use_cache
        Whether earlier results are used, which are found by content.

    Raises
    ------
    InputError
        An unknown board, or an option out of range.
    MissingToolError, ToolError
        A tool is not installed, or failed.
    """
    chosen, path = find_board(board), as_path("Output", output)
    host = partial(uart_host, design, baud=baud)
    if isinstance(chosen.family, OpenFamily):
        return bitstream(design.name, host, chosen, path, options, baud=baud, use_cache=use_cache)
    return write_project(design.name, host, chosen, path, options)


def patch_bitstream(design: Design, folder: Path | str, output: Path | str) -> Record:
    """Write the bitstream of a design that has the Verilog of one whose bitstream is there.

    Parameters
    ----------
    design
        With the plan of the one before, and other weights.
    folder
        What `make_bitstream` wrote.
    output
        The folder that is written; it may be the same.

    Raises
    ------
    InputError
        The folder is not as it was written, or the design has another plan.
    MissingToolError, ToolError
        The packer is not installed, or failed.
    """
    made = as_path("Bitstream's folder", folder)
    record = Record.read(made)
    patch(record, made, partial(uart_host, design, baud=record.made.baud), as_path("Output", output))
    return record


def capacity(board: Board) -> dict[str, Any]:
    """What a board holds, as plain JSON values."""
    return {
        "board": board.name,
        "title": board.title,
        "device": board.fpga.name,
        "part": board.fpga.part,
        "luts": board.fpga.luts,
        "block_ram_bits": board.fpga.block_ram_bits,
        "oscillator_mhz": float(board.pins.mhz),
        "bitstream": isinstance(board.family, OpenFamily),
    }


def fit(cost: Cost, board: Board) -> dict[str, Any]:
    """Whether a design is likely to fit: by its bits of memory, and by an estimate of its LUTs.

    Returns
    -------
    dict
        `memory_bits`, `luts_estimated` (with the host), `fits`, and `reason`: None, or what is too much.
    """
    luts, bits = cost.luts + HOST_LUTS, block_ram_need(cost, board.fpga)
    pairs = (("LUTs", luts, board.fpga.luts), ("bits of block RAM", bits, board.fpga.block_ram_bits))
    much = [f"{number(need)} {what} of {number(room)}" for what, need, room in pairs if need > room]
    return {
        "memory_bits": cost.memory_bits,
        "luts_estimated": luts,
        "fits": not much,
        "reason": "; ".join(much) or None,
    }
