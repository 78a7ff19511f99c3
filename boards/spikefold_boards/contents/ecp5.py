"""DP16KD of ECP5."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spikefold_boards.contents.block import Bits, BlockRam, binary

_WORD, _PADDED = 18, 20
_WORDS, _ADDRESS = 1024, 14
_LINES = 64
_BYTE, _BYTES_A_LINE = 9, 8


class Ecp5Ram(BlockRam):
    """1024 words of 18 bits; a parameter holds 16 of them, each padded to 20 bits.

    Rows of 9 bits and more fill the words; narrower ones leave out every ninth bit. Port B reads. Of 36
    bits the lower half is on the data pins of port A.
    """

    cell: ClassVar[str] = "DP16KD"
    size: ClassVar[int] = _WORD * _WORDS
    depths: ClassVar[Mapping[int, int]] = MappingProxyType(
        {36: 512, 18: 1024, 9: 2048, 4: 4096, 2: 8192, 1: 16384}
    )
    part: ClassVar[re.Pattern[str]] = re.compile(
        r"^(?P<head>\.bram_init (?P<name>\d+)\n)(?P<bits>(?:[0-9a-f]{3}[ \n])+)", re.MULTILINE
    )

    def instance(self, name: str, width: int) -> str:
        used = (self.depths[width] - 1).bit_length()
        address = [f".ADB{_ADDRESS - used + k}(row[{k}])" for k in range(used)]
        idle = [f".ADB{k}(1'b0)" for k in range(_ADDRESS - used)]
        low = "DOA" if width > _WORD else "DOB"
        data = [f".{low if bit < _WORD else 'DOB'}{bit % _WORD}({name}_data[{bit}])" for bit in range(width)]
        return f"""\
  DP16KD #(
    .DATA_WIDTH_A({width}), .DATA_WIDTH_B({width}), .REGMODE_A("NOREG"), .REGMODE_B("NOREG"),
    .CLKAMUX("CLKA"), .CLKBMUX("CLKB"), .RESETMODE("ASYNC"), .ASYNC_RESET_RELEASE("ASYNC"),
    .CSDECODE_A("0b000"), .CSDECODE_B("0b000"), .GSR("DISABLED")
  ) {name} (
    .CLKA(clk), .CEA(1'b0), .OCEA(1'b0), .WEA(1'b0), .RSTA(1'b0), .CSA0(1'b0), .CSA1(1'b0), .CSA2(1'b0),
    .CLKB(clk), .CEB(enable), .OCEB(1'b1), .WEB(1'b0), .RSTB(1'b0), .CSB0(1'b0), .CSB1(1'b0), .CSB2(1'b0),
    {", ".join([*address, *idle])},
    {", ".join(data)}
  );
"""

    def places(self, width: int) -> NDArray[np.intp]:
        row, bit = np.indices((self.depths[width], width))
        if width >= 9:
            return np.asarray(width * row + bit)
        share = 8 // width
        return np.asarray(9 * (row // share) + width * (row % share) + bit)

    def parameters(self, bits: Bits) -> dict[str, str]:
        words = np.zeros((_WORDS, _PADDED), np.uint8)
        words[:, :_WORD] = bits.reshape(_WORDS, _WORD)
        lines = words.reshape(_LINES, -1)
        return {f"INITVAL_{line:02X}": binary(lines[line]) for line in range(_LINES)}

    def from_text(self, text: str) -> Bits:
        """What a block holds: bytes of nine bits."""
        words = np.array([int(word, 16) for word in text.split()])
        return (words[:, None] >> np.arange(_BYTE) & 1).astype(np.uint8).reshape(-1)

    def to_text(self, bits: Bits) -> str:
        words = [f"{word:03x}" for word in bits.reshape(-1, _BYTE) @ (1 << np.arange(_BYTE))]
        lines = range(0, len(words), _BYTES_A_LINE)
        return "".join(" ".join(words[k : k + _BYTES_A_LINE]) + "\n" for k in lines)
