"""A bitstream with other weights, without place and route."""

import shutil
from pathlib import Path

from spikefold.errors import InputError
from spikefold.flow.replace import replaced_folder
from spikefold.flow.run import TIMEOUT
from spikefold_boards.boards.bitstream import Host, pack
from spikefold_boards.boards.board import find_board
from spikefold_boards.boards.family import OpenFamily
from spikefold_boards.contents.roms import BLOCK_RAMS
from spikefold_boards.patch.memories import put_images
from spikefold_boards.patch.record import Record, Source


def patch(record: Record, folder: Path, host: Host, output: Path, timeout: float | None = TIMEOUT) -> None:
    """Write the bitstream that `bitstream` would make of another design with the same Verilog.

    Parameters
    ----------
    record
        That of ``folder``, from `Record.read`.
    folder
        What `bitstream` wrote for the first design.
    host
        Makes the other design with its host.
    output
        The folder that is written, in one step; it may be the first one.
    timeout
        Seconds that the packer may take; None for no limit.

    Raises
    ------
    InputError
        The other design has another Verilog or host, or an image that lies in logic differs.
    MissingToolError, ToolError
        The packer is not installed, or failed.
    """
    board = find_board(record.made.board)
    family, ram = board.family, BLOCK_RAMS.get(board.fpga.family)
    if ram is None or not isinstance(family, OpenFamily):
        raise InputError(f"Bitstream must be for a board whose memories are known, not {board.name!r}")
    with host(record.made.clock_hz) as design:
        check_source(record.source, Source.of(design, record.blocks), folder)
        with replaced_folder(output) as new:
            for name in record.files:
                shutil.copyfile(folder / name, new / name)
            put_images(record, ram, new, design.mem or new)
            pack(family, new, record.made.placed, record.made.packed, timeout)
            record.write(new)


def check_source(made: Source, given: Source, folder: Path) -> None:
    """Refuse a design that would not lie in the same place.

    Raises
    ------
    InputError
        Its Verilog differs, or an image that lies in logic.
    """
    if made.verilog != given.verilog:
        raise InputError(
            f"Build must have the Verilog of the bitstream in {str(folder)!r}, but has another plan; compile "
            "it with --fit and the build of that bitstream, or make a bitstream of it"
        )
    for name in made.fixed:
        if made.fixed[name] != given.fixed.get(name):
            raise InputError(
                f"Memory image {name!r} must be that of the bitstream in {str(folder)!r}, as it is in logic, "
                "not in block RAM, but differs; make a bitstream of the build"
            )
