"""Files of events, `.aedat`: version 2.0 as jAER writes it for the DVS128, and version 3.1."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold.train.data.events import SENSOR, Events

_PACKET = struct.Struct("<hhiiiiii")  # type, source, size, time's offset, overflows, capacity, number, valid
_POLARITY = 1
_EVENT = 8  # bytes: a word of data and one of time


def read_aedat2(path: Path) -> Events:
    """Return the events of a DVS128's AEDAT 2.0 file, with the address's bits as they are.

    After lines that begin with ``#`` come pairs of big-endian 32-bit words: address and time in microseconds.
    Bit 0 of the address is p, bits 1-7 x, bits 8-14 y; bits 15 and 31 mark what no pixel has sent, left out.

    Raises
    ------
    InputError
        If the file cannot be read, is of another version or ends within an event.
    """
    content = _content(path, b"#!AER-DAT2.0")
    start = 0
    while content[start : start + 1] == b"#":
        start = _after_line(path, content, start)
    if (len(content) - start) % _EVENT:
        raise InputError(
            f"Event file '{path}' must hold whole events of {_EVENT} bytes after its header, "
            f"not {len(content) - start} bytes; fetch it again"
        )
    words = np.frombuffer(content[start:], ">u4").reshape(-1, 2)
    address, time = words[(words[:, 0] & 0x80008000) == 0].T
    x, y, p = ((address >> shift) & mask for shift, mask in ((1, 127), (8, 127), (0, 1)))
    return _events(time.astype(np.int64), x, y, p)


def read_aedat3(path: Path) -> Events:
    """Return the valid polarity events of an AEDAT 3.1 file of a sensor of at most 128x128 pixels.

    After the header come packets, little-endian: 28 bytes that say the type and number of events, then the
    events. Packets of other types are passed over.

    Raises
    ------
    InputError
        If the file cannot be read, is of another version, ends within a packet, has an impossible packet or
        an event outside the sensor.
    """
    content = _content(path, b"#!AER-DAT3.1")
    start, parts, overflows = _after_header(path, content), [], []
    while start < len(content):
        kind, words, overflow, start = _packet(path, content, start)
        if kind == _POLARITY:
            parts.append(words)
            overflows.append(overflow)
    words = np.concatenate(parts) if parts else np.empty((0, 2), "<u4")
    epoch = np.repeat(np.array(overflows, np.int64), [len(part) for part in parts])
    valid = (words[:, 0] & 1) == 1
    (data, low), epoch = words[valid].T, epoch[valid]
    x, y, p = data >> 17, (data >> 2) & 0x7FFF, (data >> 1) & 1
    for name, axis in (("x", x), ("y", y)):
        if len(axis) and axis.max() >= SENSOR:
            raise InputError(f"Event file '{path}': {name} must be below {SENSOR}, not {int(axis.max())!r}")
    return _events((epoch << 31) | low.astype(np.int64), x, y, p)


def _packet(path: Path, content: bytes, start: int) -> tuple[int, NDArray[np.uint32], int, int]:
    """Return the type, events [number, 2], overflows of the time, and end of the packet at ``start``."""
    if len(content) - start < _PACKET.size:
        raise InputError(
            f"Event file '{path}' must hold whole packets, but byte {start} begins a header of "
            f"{len(content) - start} bytes in place of {_PACKET.size}; fetch it again"
        )
    kind, _, size, offset, overflow, capacity, number, _ = _PACKET.unpack_from(content, start)
    start += _PACKET.size
    if not 0 <= number <= capacity or size < 1 or overflow < 0:
        raise InputError(
            f"Event file '{path}' must hold packets of at most their capacity, not {number} events of {size} "
            f"bytes in {capacity}, before byte {start}"
        )
    if kind == _POLARITY and (size, offset) != (_EVENT, 4):
        raise InputError(
            f"Event file '{path}' must hold polarity events of {_EVENT} bytes with the time at byte 4, "
            f"not of {size} bytes with it at byte {offset}"
        )
    end = start + size * capacity
    if end > len(content):
        raise InputError(
            f"Event file '{path}' must hold whole packets, but it ends {end - len(content)} bytes early; "
            "fetch it again"
        )
    count = 2 * number if kind == _POLARITY else 0
    return kind, np.frombuffer(content, "<u4", count, start).reshape(-1, 2), overflow, end


def _after_header(path: Path, content: bytes) -> int:
    start, last = 0, False
    while not last:
        if content[start : start + 1] != b"#":
            raise InputError(f"Event file '{path}' must have a header that ends with the line '#!END-HEADER'")
        last = content.startswith(b"#!END-HEADER", start)
        start = _after_line(path, content, start)
    return start


def _after_line(path: Path, content: bytes, start: int) -> int:
    end = content.find(b"\n", start)
    if end < 0:
        raise InputError(f"Event file '{path}' must have a header of whole lines; fetch it again")
    return end + 1


def _content(path: Path, magic: bytes) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"Event file '{path}' must be readable: {error}") from error
    if not content.startswith(magic):
        raise InputError(
            f"Event file '{path}' must begin with {magic.decode()!r}, not {content[: len(magic)]!r}"
        )
    return content


def _events(t: NDArray[np.int64], *fields: NDArray[np.uint32]) -> Events:
    return Events(t, *(field.astype(np.uint8) for field in fields))
