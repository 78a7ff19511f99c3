"""Seeded damage to files: bytes, archives, texts, headers; and files made to harm."""

import gzip
import io
import json
import pickle
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

Mutation = Callable[[bytes, random.Random], bytes]

_MEGABYTES = 1536
DEEP, DIGITS = "[" * 50_000 + "]" * 50_000, "9" * 5000
_PLACEHOLDERS = {'"@deep@"': DEEP, '"@digits@"': DIGITS, '"@inf@"': "1e999", '"@nan@"': "NaN"}
HOSTILE: tuple[Any, ...] = (
    *("@deep@", "@digits@", "@inf@", "@nan@", None, True, -1, 0, 2**31, 2**63, 10**18, 1e9, 1e308, -0.5),
    *("", "x", "\0", "\ud800", "a" * 300, "../../etc/passwd", "$system", [], {}, [[]], {"a": {}}, [1e9] * 3),
)
TOML_VALUES = (
    *("1e9", "10" * 3000, "-1", "nan", "inf", '"x"', DEEP, "[]", "[1000000000]", "{}", "true", "1979-05-27"),
    *("0x" + "f" * 5000, "9223372036854775807", '"npz:/nowhere"', "[" + "1," * 40_000 + "]", "'''", "\0"),
)


# -- any bytes ---------------------------------------------------------------------------------------------


def flip_bit(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.randint(2, 40)):
        data = flip_bit(data, rng)
    return data


def truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def extend(data: bytes, rng: random.Random) -> bytes:
    return data + rng.randbytes(rng.randint(1, 200))


def splice(data: bytes, rng: random.Random) -> bytes:
    """A piece comes twice, is left out, or is overwritten."""
    start, length = rng.randrange(len(data)), rng.randint(1, 64)
    piece = data[start : start + length]
    new = rng.choice(
        [piece + piece, b"", b"\xff" * len(piece), b"\0" * len(piece), rng.randbytes(len(piece))]
    )
    return data[:start] + new + data[start + length :]


def flip_early(data: bytes, rng: random.Random) -> bytes:
    """Damage where headers are."""
    head = data[:160]
    return flip_bits(head, rng) + data[160:]


BYTES: tuple[Mutation, ...] = (flip_bit, flip_bits, truncate, extend, splice, flip_early)


class Exploit:
    """Would leave a mark if it were ever unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("open('executed', 'w').close()",))


def pickled(data: bytes, rng: random.Random) -> bytes:
    return pickle.dumps(Exploit(), protocol=rng.randrange(6))


def greedy_pickle(data: bytes, rng: random.Random) -> bytes:
    """A pickle that wants memory before it holds anything: far places, long bytes, keys of tuples."""
    return rng.choice(
        [
            b"\x80\x04}r" + struct.pack("<I", 2**30) + b".",
            b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"abc.",
            b"\x80\x05\x96" + struct.pack("<Q", 2**33) + b"abc.",
            b"\x80\x02}" + b")" + b"\x85" * 300_000 + b"K\x01s.",
            b"I" + b"9" * 6000 + b"\n.",
        ]
    )


# -- JSON and TOML -----------------------------------------------------------------------------------------


def edited(value: Any, rng: random.Random) -> Any:
    """One part of a JSON value replaced, left out, renamed or moved."""
    value = json.loads(json.dumps(value))
    places = list(_places(value))
    if not places:
        return rng.choice(HOSTILE)
    holder, key = rng.choice(places)
    act = rng.randrange(5)
    if act == 0 and isinstance(holder, dict):
        del holder[key]
    elif act == 1 and isinstance(holder, dict):
        holder[f"{key}_"] = holder.pop(key)
    elif act == 2:
        other, place = rng.choice(places)
        holder[key] = json.loads(json.dumps(other[place]))
    elif act == 3 and type(holder[key]) is int:
        holder[key] += rng.choice([-1, 1, 7, 1 << 20, 1 << 40])
    else:
        holder[key] = rng.choice(HOSTILE)
    return value


def to_text(value: Any) -> bytes:
    """JSON, with what Python would not write put in as it is."""
    text = json.dumps(value)
    for name, raw in _PLACEHOLDERS.items():
        text = text.replace(name, raw)
    return text.encode()


def _places(value: Any) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in list(items):
        yield value, key
        yield from _places(member)


def edit_json(data: bytes, rng: random.Random) -> bytes:
    return to_text(edited(json.loads(data), rng))


def edit_safetensors(data: bytes, rng: random.Random) -> bytes:
    """Another header before the same tensors, or one that lies about its length."""
    length = int.from_bytes(data[:8], "little")
    if rng.randrange(4) == 0:
        return rng.choice([2**63, 2**40, len(data), length - 1, 0]).to_bytes(8, "little") + data[8:]
    text = edit_json(data[8 : 8 + length], rng)
    if rng.randrange(4) == 0:
        return without_digest(data, rng)
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def without_digest(data: bytes, rng: random.Random) -> bytes:
    """The digest left out, and another last number."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    del header["__metadata__"]["sha256"]
    text = json.dumps(header).encode()
    last = bytes([data[-1] ^ 1 << rng.randrange(8)])
    return len(text).to_bytes(8, "little") + text + data[8 + length : -1] + last


def edit_toml(data: bytes, rng: random.Random) -> bytes:
    """One value of a TOML text replaced, or a hostile line added."""
    lines = data.decode().splitlines()
    place = rng.choice([k for k, line in enumerate(lines) if "=" in line])
    key = lines[place].partition("=")[0]
    others = (f"{'a.' * 30_000}a = 1", f"x{key}= 1", "[[model]]", lines[place] * 2)
    lines[place] = rng.choice([f"{key}= {rng.choice(TOML_VALUES)}"] * 6 + list(others))
    return "\n".join(lines).encode()


# -- arrays and archives -----------------------------------------------------------------------------------


def npy(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def npy_header(data: bytes, rng: random.Random) -> bytes:
    """Another header before the same numbers."""
    headers = (
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000000000), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 5000 + ",), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1," * 60 + "), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (3,), }",
        "(" * 500 + ")" * 500,
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3L,), }",
        "{'descr': '<f4', \"fortran_order': False, 'shape': (3,), }",
        "\0" * 40,
    )
    if rng.randrange(4) == 0:
        return b"\x93NUMPY\x02\x00" + struct.pack("<I", rng.choice([2**32 - 1, 2**31, 10**6])) + data[12:]
    text = rng.choice(headers).encode() + b"\n"
    version = rng.choice([b"\x01\x00", b"\x01\x00", b"\x03\x00", b"\x09\x00"])
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data[128:]


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def edit_archive(data: bytes, rng: random.Random) -> bytes:
    """Members swapped, renamed, added, left out, damaged inside or packed in another way; a bomb."""
    members = unzipped(data)
    names = sorted(members)
    one, other = rng.choice(names), rng.choice(names)
    act = rng.randrange(8)
    if act == 0:
        members[one], members[other] = members[other], members[one]
    elif act == 1:
        members[f"{one}x"] = members.pop(one)
    elif act == 2:
        del members[one]
    elif act == 3:
        members[one] = rng.choice([npy_header, flip_bit, truncate, pickled])(members[one], rng)
    elif act == 4:
        return zipped(members, rng.choice([zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2]))
    elif act == 5:
        return bomb(members, rng.choice(["bomb.npy", one]))
    elif act == 6:
        members[one] = npy(np.array([{}, None], object), allow_pickle=True)
    else:
        members["extra.npy"] = npy(np.zeros(3))
    return zipped(members)


def bomb(members: dict[str, bytes], name: str) -> bytes:
    """The archive with a member of 1.6 GB of zeros, 1.6 MB as it lies there."""
    packed, crc, size = _zeros()
    rest = zipped({key: value for key, value in members.items() if key != name})
    buffer = io.BytesIO(rest)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"")
        info = archive.infolist()[-1]
        header = struct.pack(
            "<4s2B4HL2L2H", b"PK\3\4", 20, 0, 0, 8, 0, 33, crc, len(packed), size, len(name), 0
        )
        archive.fp.seek(info.header_offset)
        archive.fp.write(header + name.encode() + packed)
        info.compress_type, info.CRC, info.compress_size, info.file_size = 8, crc, len(packed), size
        archive.start_dir = archive.fp.tell()
    return buffer.getvalue()


def gzip_bomb(data: bytes, rng: random.Random) -> bytes:
    """A header that says much, or little, before very many zeros."""
    head = rng.choice([data[:16], data[:4] + b"\xff" * 12, data[:4] + struct.pack(">III", 40_000, 200, 200)])
    return gzip.compress(head) + _packed_zeros() * 96


@cache
def _packed_zeros() -> bytes:
    """16 MiB of zeros as one member of a gzip file."""
    return gzip.compress(b"\0" * (16 << 20), 9)


@cache
def _zeros() -> tuple[bytes, int, int]:
    """A raw deflate stream that begins like an array and goes on with zeros; its CRC and unpacked length."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = npy(np.zeros(1))[:128].replace(b"(1,), }", b"(%d,), }" % (_MEGABYTES << 17))
    start = start[:8] + struct.pack("<H", 118) + start[10:127].rstrip(b"\n ").ljust(117) + b"\n"
    first = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = bytes(1 << 20)
    again = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = zlib.crc32(start)
    for _ in range(_MEGABYTES):
        crc = zlib.crc32(piece, crc)
    return first + again * _MEGABYTES + packer.flush(), crc, len(start) + (_MEGABYTES << 20)
