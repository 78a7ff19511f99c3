"""Memory contents in finished designs: found where they were put, and replaced without place and route."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from board_case import unpacker
from rom_case import Size, drawn, write_design

from spikefold.errors import InputError, ToolError
from spikefold.flow.artefact import Artefact
from spikefold.flow.run import run
from spikefold.flow.work import work_folder
from spikefold_boards.boards.bitstream import Options, bitstream
from spikefold_boards.boards.board import find_board
from spikefold_boards.boards.patching import patch
from spikefold_boards.contents.roms import BLOCK_RAMS
from spikefold_boards.netlist import Netlist
from spikefold_boards.passes import MAPPED
from spikefold_boards.patch.marks import locate, mark
from spikefold_boards.patch.record import RECORD, Record

SIZES = ((16, 250), (4, 1500), (9, 40))

LOGIC = """
  reg [10:0] address;
  wire [DATA:0] data;
  wire enable = 1'b1;
  always @(posedge clk) begin
    address <= rst ? 11'd0 : address + {10'd0, rx};
    tx <= ^data;
  end
"""


@dataclass(frozen=True)
class Reader:
    """A design whose memories' parity goes to tx; their contents are drawn from ``seed``."""

    seed: int
    sizes: tuple[Size, ...] = SIZES

    @contextmanager
    def __call__(self, hertz: int) -> Iterator[Artefact]:
        with work_folder() as folder:
            ports = "input clk, input rst, input rx, output reg tx"
            yield write_design(folder / "design", "reader", ports, LOGIC, drawn(self.sizes, self.seed))


def make(board: str, design: Reader, output: Path) -> Path:
    bitstream("reader", design, find_board(board), output, Options(mhz=40), baud=115200, use_cache=False)
    return output


def ice40_rows(folder: Path, place: str, rows: int) -> list[int]:
    """What icestorm reads back of a block of 16 bits: a number a line, sixteen rows in it, the last first."""
    run(unpacker("iceunpack"), ("reader.bin", "unpacked.asc"), folder)
    _, text = (folder / "unpacked.asc").read_text().split(f".ram_data {place}\n")
    words = [re.findall("....", line)[::-1] for line in text.splitlines()[:16]]
    return [int(word, 16) for line in words for word in line][:rows]


def ecp5_rows(folder: Path, place: str, rows: int) -> list[int]:
    """What trellis reads back of a block of 18 bits: two bytes of nine bits a row."""
    run(unpacker("ecpunpack"), ("--input", "reader.bit", "--textcfg", "unpacked"), folder)
    _, text = (folder / "unpacked").read_text().split(f".bram_init {place}\n")
    words = [int(word, 16) for word in text.split()[: 2 * rows]]
    return [low | high << 9 for low, high in zip(words[::2], words[1::2], strict=True)]


BOARDS = {"ice40-hx8k-b-evn": ice40_rows, "ulx3s-25f": ecp5_rows}


@pytest.fixture(
    scope="module", params=["ice40-hx8k-b-evn", pytest.param("ulx3s-25f", marks=pytest.mark.slow)]
)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A board, and the folder of a bitstream for it."""
    return request.param, make(request.param, Reader(1), tmp_path_factory.mktemp("made") / "first")


@pytest.mark.slow
def test_a_patched_bitstream_is_that_of_the_other_design(made: tuple[str, Path], tmp_path: Path) -> None:
    board, first = made
    second = make(board, Reader(2), tmp_path / "second")
    patch(Record.read(first), first, Reader(2), tmp_path / "patched")
    names = {path.name for path in second.iterdir()} - {"bitstream.json", RECORD}
    assert {"board.v", MAPPED} < names
    for name in names:
        assert (tmp_path / "patched" / name).read_bytes() == (second / name).read_bytes(), name
    assert Record.read(tmp_path / "patched").places == Record.read(second).places
    patch(Record.read(second), second, Reader(1), second)  # and back, in place
    record = Record.read(first)
    for name in (record.made.placed, record.made.packed):
        assert (second / name).read_bytes() == (first / name).read_bytes()


def test_the_packed_bitstream_holds_the_image(made: tuple[str, Path], tmp_path: Path) -> None:
    board, first = made
    patch(Record.read(first), first, Reader(3), tmp_path / "patched")
    for folder, seed in ((first, 1), (tmp_path / "patched", 3)):
        (place,) = (p for p in Record.read(folder).places if p.block.image == "rom16x250.mem")
        shutil.copytree(folder, tmp_path / f"copy{seed}")
        rows = BOARDS[board](tmp_path / f"copy{seed}", place.name, 250)
        assert rows == drawn(SIZES, seed)[16, 250].words


def test_other_designs_and_damaged_folders_are_refused(made: tuple[str, Path], tmp_path: Path) -> None:
    _, first = made
    record = Record.read(first)
    plan = r"\ABuild must have the Verilog of the bitstream in .*, but has another plan; compile"
    with pytest.raises(InputError, match=plan):
        patch(record, first, Reader(2, ((16, 251), *SIZES[1:])), tmp_path / "patched")
    logic = replace(record, source=replace(record.source, fixed={"rom4x1.mem": "0" * 64}))
    with pytest.raises(InputError, match=r"\AMemory image 'rom4x1\.mem' must be that of the bitstream in .*"):
        patch(logic, first, Reader(2), tmp_path / "patched")
    assert not (tmp_path / "patched").exists()
    for name in (record.made.packed, record.made.placed, MAPPED):
        shutil.copytree(first, tmp_path / "copy")
        data = bytearray((tmp_path / "copy" / name).read_bytes())
        data[len(data) // 2] ^= 1
        (tmp_path / "copy" / name).write_bytes(data)
        with pytest.raises(InputError, match=rf"\AFile '{re.escape(name)}' of .* must be as it was written"):
            Record.read(tmp_path / "copy")
        shutil.rmtree(tmp_path / "copy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.update(schema=0), r"must have schema 1; make the bitstream again\Z"),
        (lambda data: data.pop("made"), r"\ARecord .* must have"),
        (lambda data: data["files"].update({"../x": "0"}), r"must name files, not '\.\./x'\Z"),
        (lambda data: data["files"].clear(), r"must list 'reader\.(asc|config)'"),
    ],
)
def test_broken_record_is_refused(
    made: tuple[str, Path], tmp_path: Path, change: object, message: str
) -> None:
    shutil.copytree(made[1], tmp_path / "copy")
    data = json.loads((tmp_path / "copy" / RECORD).read_text())
    assert callable(change)
    change(data)
    (tmp_path / "copy" / RECORD).write_text(json.dumps(data))
    with pytest.raises(InputError, match=message):
        Record.read(tmp_path / "copy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 7}, r"\ABlock '.*' of the record must be one of reader\."),
        ({"row": -1}, r"\ABlock '.*' of the record must be one of reader\."),
        ({"module": "other"}, r"\ABlock '.*' of the record must be one of reader\."),
        ({"image": "../mem/rom9x40.mem"}, r"\ABlock '.*' of the record must be one of reader\."),
        ({"image": "none.mem"}, r"\AMemory image 'none\.mem' "),
        (None, r"\ABlock '.*' of the record must be one of reader\."),
    ],
)
def test_record_of_blocks_that_are_not_there_is_refused(
    made: tuple[str, Path], tmp_path: Path, change: dict[str, object] | None, message: str
) -> None:
    first, *others = Record.read(made[1]).places
    wrong = (
        replace(first, name="none")
        if change is None
        else replace(
            first,
            block=replace(first.block, **change),  # type: ignore[arg-type]
        )
    )
    record = replace(Record.read(made[1]), places=(wrong, *others))
    with pytest.raises(InputError, match=message):
        patch(record, made[1], Reader(1), tmp_path / "patched")
    assert not (tmp_path / "patched").exists()


def test_a_folder_without_a_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\AFolder .* must hold contents\.json, as spikefold bitstream"):
        Record.read(tmp_path)


def test_a_mark_that_got_lost_is_noticed(made: tuple[str, Path]) -> None:
    board, folder = made
    ram = BLOCK_RAMS[find_board(board).fpga.family]
    netlist = Netlist.read(folder / MAPPED, "reader_harness")
    blocks = mark(netlist, ram)
    placed = (folder / Record.read(folder).made.placed).read_text()  # it holds images, not marks
    with pytest.raises(ToolError, match=r"\ABlock '.*' must be in the placed design once, .* 0 times"):
        locate(placed, blocks, ram)


def test_contents_read_from_a_placed_design_are_written_back_alike(made: tuple[str, Path]) -> None:
    board, folder = made
    ram = BLOCK_RAMS[find_board(board).fpga.family]
    text = (folder / Record.read(folder).made.placed).read_text()
    found = ram.placed(text)
    assert len(found) >= len(SIZES)
    assert ram.with_placed(text, found) == text
