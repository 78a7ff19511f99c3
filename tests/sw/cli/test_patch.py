"""`spikefold patch`; bitstreams are made and compared in tests/boards."""

import pytest
from cli_case import fields, invoke, model_file, refused

from spikefold import on_board
from spikefold_boards.contents.fill import Block
from spikefold_boards.patch.record import Made, Place, Record, Source


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patch")
    assert invoke("compile", model_file(folder), "-o", folder / "build", "-q").exit_code == 0
    return folder / "build"


def test_patch_tells_what_it_put_where(build, tmp_path, monkeypatch):
    made = Made("icebreaker", 48_000_000, 1_000_000, "tiny.asc", "tiny.bin")
    blocks = [Block(f"block{k}", "a.mem", "spikefold_rom_20x96", 0, 16 * k, 16) for k in range(2)]
    record = Record(made, Source("0", {}), tuple(Place(block, "1 2") for block in blocks))
    asked = []

    def patched(design, folder, output):
        asked.append((design.name, folder, output))
        return record

    monkeypatch.setattr(on_board, "patch_bitstream", patched)
    found = fields(invoke("patch", tmp_path / "board", build, "-o", tmp_path / "new", "--json"))
    assert found.pop("seconds") >= 0
    assert found == {
        "board": "icebreaker",
        "design": "tiny",
        "file": "tiny.bin",
        "images": 1,
        "blocks": 2,
        "output": str(tmp_path / "new"),
    }
    folder = tmp_path / "board"
    assert "1 in 2 block RAMs" in invoke("patch", folder, build).stdout
    assert asked == [("tiny", folder, tmp_path / "new"), ("tiny", folder, folder)]


def test_a_folder_without_a_bitstream_is_refused(build, tmp_path):
    pattern = r"Folder .* must hold contents\.json, as spikefold bitstream writes it, but does not$"
    refused(invoke("patch", tmp_path, build), 3, pattern)
