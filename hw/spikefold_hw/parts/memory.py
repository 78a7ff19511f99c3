"""Memories: images read from files, and buffers without contents."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from amaranth.hdl import Mux, Shape, ShapeLike, Value
from amaranth.lib.memory import Memory

from spikefold.errors import InputError

if TYPE_CHECKING:
    AnyMemory = Memory[Any, Any]
else:
    AnyMemory = Memory

Contents = Mapping[str, Sequence[int]]
"""Rows of every image by file name; what Amaranth's own simulator runs with."""


class Rom(AnyMemory):
    """A read-only memory whose rows come from `<name>.mem`; reads take one cycle.

    The Verilog reads the file when it starts, so its text does not depend on the rows.

    Parameters
    ----------
    name
        Of the memory, and stem of the file.
    contents
        Rows by name, for simulation in Amaranth; None elsewhere.

    Raises
    ------
    InputError
        If a row does not fit.
    """

    def __init__(self, name: str, shape: ShapeLike, depth: int, contents: Contents | None = None):
        rows = [] if contents is None else list(contents[name])
        width = Shape.cast(shape).width
        if len(rows) > depth:
            raise InputError(f"Memory {name!r} must have at most {depth} rows, not {len(rows)}")
        for row in rows:
            if not 0 <= row < 1 << width:
                raise InputError(f"Row of memory {name!r} must fit {width} bits, not {row!r}")
        # As plain bits: rows of a layout would be truncated without a warning.
        super().__init__(shape=width, depth=depth, init=rows)
        self.name = name
        self.file = f"{name}.mem"


class Ram(AnyMemory):
    """A memory with one write and one synchronous read port.

    Parameters
    ----------
    name
        Of the memory in the whole design, by which a user can choose where it is put; "" for none.
    """

    def __init__(self, shape: ShapeLike, depth: int, name: str = ""):
        super().__init__(shape=Shape.cast(shape).width, depth=depth, init=[])
        self.name = name


class RegisterFile(AnyMemory):
    """A few rows with one write port and one read port that answers in the same cycle; it lies in logic."""

    def __init__(self, shape: ShapeLike, depth: int):
        super().__init__(shape=Shape.cast(shape).width, depth=depth, init=[])


def ring_next(row: Value, rows: int, step: int = 1) -> Value:
    """The row `step` after `row` in a ring of any number of rows that `step` divides."""
    return Mux(row == rows - step, 0, row + step)
