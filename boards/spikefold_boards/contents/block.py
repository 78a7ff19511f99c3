"""The block RAM of a family of devices: its widths, its cell, and where it keeps every bit."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint8]
"""Contents of a block, a bit an element, in the order that the family's cell has for its parameters."""


class BlockRam(ABC):
    """A kind of block RAM, as a read-only memory.

    Attributes
    ----------
    cell
        Type of its cell.
    size
        Bits it holds, those included that not every width reaches.
    depths
        Rows by the width of a read; powers of two.
    part
        A block in the text of a placed and routed design: its head with the block's name, and its bits.
    """

    cell: ClassVar[str]
    size: ClassVar[int]
    depths: ClassVar[Mapping[int, int]]
    part: ClassVar[re.Pattern[str]]

    @abstractmethod
    def instance(self, name: str, width: int) -> str:
        """Verilog of one block named ``name``.

        It reads the row ``row`` (as many bits as it takes) at the edge of ``clk`` if ``enable`` is high, and
        puts it on the wire ``<name>_data`` of ``width`` bits.
        """

    @abstractmethod
    def places(self, width: int) -> NDArray[np.intp]:
        """Where each bit of each row lies among the block's `Bits`, shape (rows, width)."""

    @abstractmethod
    def parameters(self, bits: Bits) -> dict[str, str]:
        """The parameters with the contents, as binary texts of a yosys netlist."""

    @abstractmethod
    def from_text(self, text: str) -> Bits:
        """What a block holds, from its part of a placed design."""

    @abstractmethod
    def to_text(self, bits: Bits) -> str:
        """Inverse of `from_text`."""

    def placed(self, text: str) -> dict[str, Bits]:
        """What the blocks of a placed and routed design hold, by the names that they have there."""
        return {found["name"]: self.from_text(found["bits"]) for found in self.part.finditer(text)}

    def with_placed(self, text: str, contents: Mapping[str, Bits]) -> str:
        """The placed design with other contents in some blocks."""

        def other(found: re.Match[str]) -> str:
            bits = contents.get(found["name"])
            return found[0] if bits is None else found["head"] + self.to_text(bits)

        return self.part.sub(other, text)


def binary(bits: Bits) -> str:
    """The bits as text, the first one last."""
    return (bits[::-1] + ord("0")).astype(np.uint8).tobytes().decode()
