"""Verilog of a host: files beside those of the block, which stay as they are."""

from collections.abc import Mapping

from spikefold.errors import InputError
from spikefold_hw.emit import Description, Emission, Shell, emit
from spikefold_hw.host.register_bank import IDENTIFICATION
from spikefold_hw.host.registers import RegisterMap
from spikefold_hw.memory_choice import MemoryChoice
from spikefold_hw.typed import Component

_ROW_DIGITS = 8


def emit_host(component: Component, shell: Shell, description: Description) -> Emission:
    """The Verilog of a host around an instance of the block, whose files it needs beside its own.

    The memory with the constants of the register map lies in a block RAM, so that it can be replaced in a
    finished design as the weights are.
    """
    return emit(component, shell.top, description, [MemoryChoice(IDENTIFICATION, "block")], shell)


def identification_image(registers: RegisterMap) -> bytes:
    """What the file `identification.mem` holds, a row per line, as `$readmemh` reads it."""
    return "".join(f"{row:0{_ROW_DIGITS}x}\n" for row in registers.identification).encode()


def check_apart(block: Mapping[str, str], host: Mapping[str, str]) -> None:
    """Check that no module of a host has the name of another one of its block.

    Parameters
    ----------
    block, host
        Verilog texts by file name. A memory of one shape is in both, and is the same.

    Raises
    ------
    InputError
        If two files of one name differ.
    """
    for name in sorted(block.keys() & host.keys()):
        if block[name] != host[name]:
            raise InputError(
                f"Design must not be called so that {name!r} is also a file of its host; rename it"
            )
