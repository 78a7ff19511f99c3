"""What a folder with a bitstream says of the memory contents in it."""

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from spikefold.codec import decode, encode
from spikefold.errors import InputError, shown
from spikefold.files import sha256
from spikefold.flow.artefact import Artefact
from spikefold.flow.cache import key_of
from spikefold.formats.plain import read_json
from spikefold.formats.text import read_verilog
from spikefold_boards.contents.fill import Block

RECORD = "contents.json"
_SCHEMA = 1
_AGAIN = "make the bitstream again"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_IMAGE = re.compile(r'"([A-Za-z0-9_]+\.mem)"')


@dataclass(frozen=True)
class Place:
    """A block, and its name in the placed design."""

    block: Block
    name: str


@dataclass(frozen=True)
class Source:
    """What a placed design was made of, as far as its memories may not be replaced.

    Attributes
    ----------
    verilog
        Digest of all Verilog of the design and its host: of the plan, and of no weight.
    fixed
        SHA-256 of the images that lie in logic, by the names of their files.
    """

    verilog: str
    fixed: dict[str, str]

    @classmethod
    def of(cls, artefact: Artefact, blocks: list[Block]) -> "Source":
        """That of a design with its host, of whose images some are in ``blocks``."""
        texts = {path.name: read_verilog(path) for path in artefact.rtl}
        used = {name for text in texts.values() for name in _IMAGE.findall(text)}
        logic = used - {block.image for block in blocks}
        files = {path.name: path for path in artefact.images}
        return cls(key_of(texts), {name: sha256(files[name]) for name in sorted(logic & files.keys())})


@dataclass(frozen=True)
class Made:
    """How a bitstream was made.

    Attributes
    ----------
    board
        The board's name.
    clock_hz, baud
        Of the host: with them it can be made again.
    placed, packed
        Names of the files with the placed design and with the bitstream.
    """

    board: str
    clock_hz: int
    baud: int
    placed: str
    packed: str


@dataclass(frozen=True)
class Record:
    """Where the memory images of a design are in its placed design.

    Attributes
    ----------
    made, source
        How it was made, and of what.
    places
        The blocks.
    files
        SHA-256 of every other file of the folder.
    schema
        Of this record.
    """

    made: Made
    source: Source
    places: tuple[Place, ...]
    files: dict[str, str] = field(default_factory=dict)
    schema: int = _SCHEMA

    @property
    def blocks(self) -> list[Block]:
        """The blocks, without their places."""
        return [place.block for place in self.places]

    def write(self, folder: Path) -> None:
        """Write the record, with the digests of all that now is in the folder."""
        files = {path.name: sha256(path) for path in sorted(folder.iterdir()) if path.name != RECORD}
        text = json.dumps(encode(replace(self, files=files)), indent=1)
        (folder / RECORD).write_text(text + "\n", "utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Record":
        """The record of a folder, all of whose files are as they were written.

        Raises
        ------
        InputError
            There is none, it is broken or of another schema, or a file is missing or was edited.
        """
        if not (folder / RECORD).is_file():
            raise InputError(
                f"Folder {str(folder)!r} must hold {RECORD}, as spikefold bitstream writes it, but does not"
            )
        data = read_json(folder / RECORD, f"Record {str(folder / RECORD)!r}")
        if not isinstance(data, dict) or data.get("schema") != _SCHEMA:
            raise InputError(f"Record {str(folder / RECORD)!r} must have schema {_SCHEMA}; {_AGAIN}")
        record = decode(cls, data, f"Record {str(folder / RECORD)!r}")
        if not {record.made.placed, record.made.packed} <= record.files.keys():
            raise InputError(f"Record {str(folder / RECORD)!r} must list {record.made.placed!r}; {_AGAIN}")
        for name, digest in record.files.items():
            if not _NAME.fullmatch(name):
                raise InputError(f"Record {str(folder / RECORD)!r} must name files, not {shown(name)}")
            if not (folder / name).is_file() or sha256(folder / name) != digest:
                raise InputError(
                    f"File {name!r} of {str(folder)!r} must be as it was written, but is missing or was "
                    f"edited; {_AGAIN}"
                )
        return record
