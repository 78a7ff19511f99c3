"""Finding the blocks of a netlist in the placed design: by marks in the place of their contents."""

from collections.abc import Iterable, Iterator

import numpy as np

from spikefold.errors import ToolError
from spikefold_boards.contents.block import Bits, BlockRam
from spikefold_boards.contents.fill import Block, blocks_of
from spikefold_boards.netlist import Netlist


def mark(netlist: Netlist, ram: BlockRam) -> list[Block]:
    """Give every block with a part of an image contents that no other has; the blocks in their order.

    The marks are the same every time, so what is placed does not depend on the images.
    """
    blocks = list(blocks_of(netlist))
    for block, bits in zip(blocks, _marks(len(blocks), ram), strict=True):
        netlist.cells[block.cell]["parameters"] |= ram.parameters(bits)
    return blocks


def locate(text: str, blocks: Iterable[Block], ram: BlockRam) -> list[str]:
    """The names that blocks, as `mark` returned them, have in a placed design.

    Raises
    ------
    ToolError
        A mark is not in it, whole and once.
    """
    found: dict[bytes, list[str]] = {}
    for name, bits in ram.placed(text).items():
        found.setdefault(bits.tobytes(), []).append(name)
    names = []
    blocks = list(blocks)
    for block, bits in zip(blocks, _marks(len(blocks), ram), strict=True):
        places = found.get(bits.tobytes(), [])
        if len(places) != 1:
            raise ToolError(
                f"Block {block.cell!r} must be in the placed design once, but its mark is there "
                f"{len(places)} times; place and route has changed what a block RAM holds"
            )
        names += places
    return names


def _marks(count: int, ram: BlockRam) -> Iterator[Bits]:
    return (np.random.default_rng(k).integers(0, 2, ram.size, np.uint8) for k in range(count))
