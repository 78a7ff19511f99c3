"""SB_RAM40_4K of iCE40."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spikefold_boards.contents.block import Bits, BlockRam, binary

_WORD, _WORDS = 16, 256
_LINES = 16


class Ice40Ram(BlockRam):
    """256 words of 16 bits. A narrower read takes every second, fourth or eighth bit of a word.

    The upper address bits say which of them (Lattice FPGA-TN-02002, table of the read modes; yosys' model
    `cells_sim.v` has the same).
    """

    cell: ClassVar[str] = "SB_RAM40_4K"
    size: ClassVar[int] = _WORD * _WORDS
    depths: ClassVar[Mapping[int, int]] = MappingProxyType({16: 256, 8: 512, 4: 1024, 2: 2048})
    part: ClassVar[re.Pattern[str]] = re.compile(
        r"^(?P<head>\.ram_data (?P<name>\d+ \d+)\n)(?P<bits>(?:[0-9a-f]{64}\n){16})", re.MULTILINE
    )

    def instance(self, name: str, width: int) -> str:
        mode = tuple(self.depths).index(width)
        stride = _WORD // width
        first = (0, 0, 1, 3)[mode]  # the data pin of the lowest bit
        pins = ", ".join(f"{name}_word[{first + stride * bit}]" for bit in reversed(range(width)))
        return f"""\
  wire [{_WORD - 1}:0] {name}_word;
  assign {name}_data = {{{pins}}};
  SB_RAM40_4K #(.READ_MODE({mode}), .WRITE_MODE(0)) {name} (
    .RCLK(clk), .RCLKE(enable), .RE(1'b1), .RADDR(row), .RDATA({name}_word),
    .WCLK(1'b0), .WCLKE(1'b0), .WE(1'b0), .WADDR(11'b0), .MASK(16'b0), .WDATA(16'b0)
  );
"""

    def places(self, width: int) -> NDArray[np.intp]:
        row, bit = np.indices((self.depths[width], width))
        return np.asarray(_WORD * (row % _WORDS) + _WORD // width * bit + row // _WORDS)

    def parameters(self, bits: Bits) -> dict[str, str]:
        lines = bits.reshape(_LINES, -1)
        return {f"INIT_{line:X}": binary(lines[line]) for line in range(_LINES)}

    def from_text(self, text: str) -> Bits:
        """What a block holds: a number a line, the lowest digit last."""
        data = b"".join(bytes.fromhex(line)[::-1] for line in text.split())
        return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")

    def to_text(self, bits: Bits) -> str:
        lines = np.packbits(bits.reshape(_LINES, -1), axis=1, bitorder="little")
        return "".join(f"{line[::-1].tobytes().hex()}\n" for line in lines)
