"""Contents of memories: rows of packed values, as files and as bytes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageSize:
    """Name of a memory image, bits of a row, and rows."""

    name: str
    width: int
    depth: int


@dataclass(frozen=True, eq=False)
class Image:
    """Contents of a memory: words of `width` bits as bytes, lowest first, shape (rows, bytes)."""

    width: int
    data: NDArray[np.uint8]

    @classmethod
    def of(cls, columns: Sequence[tuple[NDArray[np.integer], int]]) -> "Image":
        """Pack columns of values, each (rows,) with its width in bits, into words; the first one lowest.

        Raises
        ------
        ValueError
            If a value does not fit; widths come from the same network, so this is a defect.
        """
        width = sum(bits for _, bits in columns)
        rows = np.zeros((len(columns[0][0]), width), np.uint8)
        place = 0
        for values, bits in columns:
            low, high = int(values.min(initial=0)), int(values.max(initial=0))
            if not -(1 << bits) <= 2 * low or high >= (1 << bits) >> (low < 0):
                raise ValueError(f"Values must fit {bits} bits, not {low}..{high}")
            rows[:, place : place + bits] = values[:, None] >> np.arange(bits) & 1
            place += bits
        return cls(width, np.packbits(rows, axis=1, bitorder="little"))

    @property
    def words(self) -> list[int]:
        """The rows as unsigned integers."""
        return [int.from_bytes(row.tobytes(), "little") for row in self.data]

    @property
    def hexadecimal(self) -> bytes:
        """The rows as `$readmemh` reads them, one per line."""
        digits = -(-self.width // 4)
        text = np.frombuffer(self.data[:, ::-1].tobytes().hex().encode(), np.uint8)
        lines = text.reshape(len(self.data), -1)[:, -digits:]
        return np.concatenate([lines, np.full((len(lines), 1), ord("\n"), np.uint8)], axis=1).tobytes()
