"""The memories of a design on their way through place and route: marked before, filled afterwards."""

from dataclasses import dataclass
from pathlib import Path

from spikefold.errors import InputError, shown
from spikefold.flow.artefact import MEMORY_FOLDER, Artefact
from spikefold_boards.contents.block import BlockRam
from spikefold_boards.contents.fill import Block, read_images
from spikefold_boards.contents.roms import BLOCK_RAMS, RomShape
from spikefold_boards.netlist import Netlist
from spikefold_boards.passes import MAPPED
from spikefold_boards.patch.marks import locate, mark
from spikefold_boards.patch.record import Made, Place, Record, Source


@dataclass(frozen=True)
class Memories:
    """The block RAMs of a netlist that hold parts of images, with marks in their place.

    Attributes
    ----------
    ram
        What block RAM of the family is like; None where yosys puts the contents in.
    blocks
        The blocks.
    source
        What the netlist was made of.
    images
        Folder of the images.
    """

    ram: BlockRam | None
    blocks: list[Block]
    source: Source
    images: Path

    @classmethod
    def marked(cls, netlist: Netlist, family: str, design: Artefact, work: Path) -> "Memories":
        """Mark the netlist, also in its file in ``work``, where the design's files are too."""
        ram, blocks = BLOCK_RAMS.get(family), []
        if ram is not None:
            blocks = mark(netlist, ram)
            netlist.write(work / MAPPED)
        return cls(ram, blocks, Source.of(design, blocks), work / MEMORY_FOLDER)

    def fill(self, folder: Path, made: Made) -> Record | None:
        """Put the images into the placed design in ``folder``; the record of where they are.

        Raises
        ------
        ToolError
            A mark is not in it.
        """
        if self.ram is None:
            return None
        names = locate((folder / made.placed).read_text("utf-8"), self.blocks, self.ram)
        record = Record(made, self.source, tuple(map(Place, self.blocks, names)))
        put_images(record, self.ram, folder, self.images)
        return record


def put_images(record: Record, ram: BlockRam, folder: Path, images: Path) -> None:
    """Put the images in the folder ``images`` into the placed design in ``folder``.

    Raises
    ------
    InputError
        As `read_image`, or the record names blocks that are not there or of no known kind.
    """
    placed = folder / record.made.placed
    text = placed.read_text("utf-8")
    _check(record, ram, text)
    rows = read_images(record.blocks, images)
    contents = {place.name: place.block.bits(rows[place.block.image], ram) for place in record.places}
    placed.write_text(ram.with_placed(text, contents), "utf-8")


def _check(record: Record, ram: BlockRam, text: str) -> None:
    there = ram.placed(text)
    for place in record.places:
        block = place.block
        known = block.width in ram.depths and min(block.row, block.bit) >= 0
        known = known and Path(block.image).name == block.image
        if place.name not in there or not known or RomShape.of(block.module) is None:
            raise InputError(
                f"Block {shown(block.cell)} of the record must be one of {record.made.placed}, but is not; "
                "make the bitstream again"
            )
