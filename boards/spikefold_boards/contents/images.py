"""Memory images as bits."""

from pathlib import Path

import numpy as np

from spikefold.errors import InputError
from spikefold.formats.text import read_text
from spikefold.limits import VERILOG
from spikefold_boards.contents.block import Bits
from spikefold_boards.contents.roms import RomShape


def read_image(path: Path, shape: RomShape) -> Bits:
    """The rows of a ``.mem`` file, hexadecimal and one a line, as bits of shape (rows, bits), lowest first.

    Raises
    ------
    InputError
        It is missing, has another number of rows, or a row is no number of that many bits.
    """
    what = f"Memory image {path.name!r}"
    lines = read_text(path, what, most=VERILOG).split()
    if len(lines) != shape.rows:
        raise InputError(f"{what} must have the {shape.rows} rows of {shape.module}, not {len(lines)}")
    size = -(-shape.bits // 8)
    try:
        data = b"".join(int(line, 16).to_bytes(size, "little") for line in lines)
    except (ValueError, OverflowError):
        data = None
    bits = None if data is None else np.frombuffer(data, np.uint8).reshape(shape.rows, size)
    bits = None if bits is None else np.unpackbits(bits, axis=1, bitorder="little")
    if bits is None or bits[:, shape.bits :].any():
        raise InputError(f"{what} must hold hexadecimal rows of {shape.bits} bits, but was edited")
    return bits[:, : shape.bits]
