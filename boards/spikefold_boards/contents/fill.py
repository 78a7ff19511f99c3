"""What the block RAMs of a netlist hold."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spikefold_boards.contents.block import Bits, BlockRam
from spikefold_boards.contents.images import read_image
from spikefold_boards.contents.roms import BIT, IMAGE, MODULE, ROW, WIDTH, RomShape
from spikefold_boards.netlist import Netlist


@dataclass(frozen=True)
class Block:
    """A block RAM with a part of an image.

    Attributes
    ----------
    cell
        Its name in the netlist.
    image, module
        File of the image, and the module of the memory, whose name tells the image's size.
    row, bit
        The first row of the image that it holds, and the first bit of each.
    width
        Bits of a row of the block; those beyond the image's are zero, as are rows beyond them.
    """

    cell: str
    image: str
    module: str
    row: int
    bit: int
    width: int

    def bits(self, image: Bits, ram: BlockRam) -> Bits:
        """What the block holds of an image, which is given as bits of shape (rows, bits)."""
        held = np.zeros(ram.size, np.uint8)
        part = image[self.row : self.row + ram.depths[self.width], self.bit : self.bit + self.width]
        held[ram.places(self.width)[: part.shape[0], : part.shape[1]]] = part
        return held


def blocks_of(netlist: Netlist) -> Iterator[Block]:
    """The blocks of a netlist that hold a part of an image, in its order."""
    for name, cell in netlist.cells.items():
        attributes: dict[str, Any] = cell["attributes"]
        if IMAGE in attributes:
            row, bit, width = (int(attributes[key], 2) for key in (ROW, BIT, WIDTH))
            yield Block(name, attributes[IMAGE], attributes[MODULE], row, bit, width)


def read_images(blocks: Iterable[Block], folder: Path) -> dict[str, Bits]:
    """The images of blocks by the name of the file, as bits of shape (rows, bits); raises as `read_image`."""
    modules = {block.image: block.module for block in blocks}
    shapes = {image: RomShape.of(module) for image, module in modules.items()}
    return {image: read_image(folder / image, shape) for image, shape in shapes.items() if shape is not None}


def fill(netlist: Netlist, ram: BlockRam, images: Mapping[str, Bits]) -> None:
    """Put images, as `read_images` gives them, into the blocks of a netlist."""
    for block in blocks_of(netlist):
        bits = block.bits(images[block.image], ram)
        netlist.cells[block.cell]["parameters"] |= ram.parameters(bits)
