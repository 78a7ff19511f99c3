"""Vendors' formats of memory images, each read back by a reader that knows only the vendor's description."""

import re
from pathlib import Path

import numpy as np
import pytest

from spikefold.errors import InputError
from spikefold.vendor_images import FORMATS, write_images
from spikefold_hw.parts.images import Image

SIZES = [(1, 2), (3, 1), (8, 300), (32, 5), (33, 17), (40, 1), (130, 9), (2, 70_000)]


def drawn(bits: int, rows: int) -> Image:
    rng = np.random.default_rng(bits * rows)
    return Image.of([(rng.integers(0, 2, rows), 1) for _ in range(bits)])


def read_coe(data: bytes, bits: int) -> list[int]:
    keys = dict(part.split("=") for part in data.decode().split(";") if part.strip())
    values = {key.strip(): value.strip() for key, value in keys.items()}
    assert values.keys() == {"memory_initialization_radix", "memory_initialization_vector"}
    radix = int(values["memory_initialization_radix"])
    return [int(word, radix) for word in values["memory_initialization_vector"].split(",")]


def read_xilinx_mif(data: bytes, bits: int) -> list[int]:
    lines = data.decode().splitlines()
    assert all(re.fullmatch(f"[01]{{{bits}}}", line) for line in lines)
    return [int(line, 2) for line in lines]


def read_intel_mif(data: bytes, bits: int) -> list[int]:
    head, content = data.decode().split("CONTENT BEGIN")
    values = dict(re.findall(r"(\w+)=(\w+);", head))
    assert values["ADDRESS_RADIX"] == values["DATA_RADIX"] == "HEX"
    assert int(values["WIDTH"]) == bits
    rows = {int(row, 16): int(word, 16) for row, word in re.findall(r"(\w+) : (\w+);", content)}
    assert content.endswith("END;\n")
    assert sorted(rows) == list(range(int(values["DEPTH"])))
    return [rows[row] for row in range(len(rows))]


def read_intel_hex(data: bytes, bits: int) -> list[int]:
    rows: dict[int, int] = {}
    upper, ended = 0, False
    for line in data.decode().splitlines():
        assert line[0] == ":"
        assert not ended
        count, high, low, kind, *rest = bytes.fromhex(line[1:])
        assert sum(bytes.fromhex(line[1:])) % 256 == 0
        assert len(rest) == count + 1
        value = int.from_bytes(bytes(rest[:-1]), "big")
        match kind:
            case 0:
                assert count == -(-bits // 8)
                assert rows.setdefault((upper << 16) + 256 * high + low, value) == value
            case 1:
                ended = True
            case 4:
                upper = value
            case _:
                pytest.fail(line)
    assert ended
    return [rows[row] for row in range(len(rows))]


def read_gowin_mi(data: bytes, bits: int) -> list[int]:
    lines = data.decode().splitlines()
    head = dict(line[1:].split("=") for line in lines if line.startswith("#"))
    words = [int(line, 16) for line in lines if not line.startswith("#")]
    assert head == {"File_format": "Hex", "Address_depth": str(len(words)), "Data_width": str(bits)}
    return words


def read_mem(data: bytes, bits: int) -> list[int]:
    return [int(word, 16) for word in data.split()]


def read_bin(data: bytes, bits: int) -> list[int]:
    size = -(-bits // 8)
    return [int.from_bytes(data[k : k + size], "little") for k in range(0, len(data), size)]


READERS = {
    "coe": read_coe,
    "xilinx-mif": read_xilinx_mif,
    "intel-mif": read_intel_mif,
    "intel-hex": read_intel_hex,
    "gowin-mi": read_gowin_mi,
    "mem": read_mem,
    "bin": read_bin,
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("bits", "rows"), SIZES)
def test_every_format_is_read_back(tmp_path: Path, form: str, bits: int, rows: int) -> None:
    image = drawn(bits, rows)
    (path,) = write_images({"layer0_weight0": image}, form, tmp_path / "new")
    assert path.name == f"layer0_weight0.{FORMATS[form].ending}"
    assert READERS[form](path.read_bytes(), bits) == image.words


def test_what_a_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"\AMemory 'wide' must have rows of at most 2040 bits .*, not 2041;"
    ):
        write_images({"wide": drawn(2041, 1)}, "intel-hex", tmp_path)
    (path,) = write_images({"wide": drawn(2040, 1)}, "intel-hex", tmp_path)
    assert read_intel_hex(path.read_bytes(), 2040) == drawn(2040, 1).words
    with pytest.raises(InputError, match=r"\AFormat must be one of coe, .*, bin, not 'hex'\Z"):
        write_images({}, "hex", tmp_path)
