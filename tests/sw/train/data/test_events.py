"""Event files of both versions, every way in which they can be bad, and the frames that count events."""

import struct
from pathlib import Path

import numpy as np
import pytest
from dvs_case import END3, HEADER2, HEADER3, aedat2, aedat3, frames, packet, random_events

from spikefold.errors import InputError
from spikefold.train.data.aedat import read_aedat2, read_aedat3
from spikefold.train.data.events import Events, integrate


def as_list(events: Events) -> list:
    assert events.t.dtype == np.int64
    fields = (events.t, events.x, events.y, events.p)
    return list(zip(*(field.tolist() for field in fields), strict=True))


def as_events(events: list) -> Events:
    t, *rest = (np.array(field) for field in zip(*events, strict=True))
    return Events(t.astype(np.int64), *(field.astype(np.uint8) for field in rest))


CORNERS = [(0, 0, 0, 0), (5, 127, 0, 1), (5, 0, 127, 0), (2**31 - 1, 127, 127, 1)]


@pytest.mark.parametrize("events", [[], CORNERS, random_events(500, 0)])
def test_aedat2_is_read_bit_by_bit(tmp_path: Path, events: list) -> None:
    path = tmp_path / "e.aedat"
    for header in (HEADER2, b"#!AER-DAT2.0\n"):
        path.write_bytes(aedat2(events, header))
        assert as_list(read_aedat2(path)) == events


def test_aedat2_leaves_out_what_no_pixel_sent(tmp_path: Path) -> None:
    path = tmp_path / "e.aedat"
    special = struct.pack(">II", 0x8000, 3) + struct.pack(">II", 0x80000000, 4)
    path.write_bytes(aedat2(CORNERS[:2]) + special + aedat2(CORNERS[2:], b""))
    assert as_list(read_aedat2(path)) == CORNERS


@pytest.mark.parametrize("events", [CORNERS[:3], random_events(500, 1), [(5 << 31 | 7, 1, 2, 1)]])
def test_aedat3_is_read_bit_by_bit(tmp_path: Path, events: list) -> None:
    path = tmp_path / "e.aedat"
    path.write_bytes(aedat3(packet(events[:2]), packet(events[2:]), packet([])))
    assert as_list(read_aedat3(path)) == events


def test_aedat3_passes_over_other_packets_and_invalid_events(tmp_path: Path) -> None:
    path = tmp_path / "e.aedat"
    frame = struct.pack("<HHIIIIII", 2, 1, 40, 12, 0, 2, 1, 1) + b"\xff" * 80
    full = packet(CORNERS[:2], capacity=4) + b"\xff" * 16  # two of four places are used
    path.write_bytes(aedat3(frame, full, packet(CORNERS, valid=0), frame, packet(CORNERS[2:])))
    assert as_list(read_aedat3(path)) == CORNERS
    path.write_bytes(aedat3())
    assert as_list(read_aedat3(path)) == []


WHOLE = aedat3(packet(CORNERS))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"must begin with '#!AER-DAT2\.0', not b''$"),
        (WHOLE, r"must begin with '#!AER-DAT2\.0', not b'#!AER-DAT3\.1'$"),
        (b"#!AER-DAT2.0", r"must have a header of whole lines; fetch it again$"),
        (HEADER2 + b"# cut", r"must have a header of whole lines; fetch it again$"),
        (aedat2(CORNERS)[:-1], r"must hold whole events of 8 bytes after its header, not 31 bytes; fetch it"),
        (aedat2(CORNERS)[:-4], r"must hold whole events of 8 bytes after its header, not 28 bytes; fetch it"),
    ],
)
def test_bad_aedat2_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "e.aedat").write_bytes(content)
    with pytest.raises(InputError, match=r"^Event file '.*e\.aedat' " + message):
        read_aedat2(tmp_path / "e.aedat")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x01\x00", r"must begin with '#!AER-DAT3\.1', not b'\\x01\\x00'$"),
        (aedat2(CORNERS), r"must begin with '#!AER-DAT3\.1', not b'#!AER-DAT2\.0'$"),
        (HEADER3, r"must have a header that ends with the line '#!END-HEADER'$"),
        (HEADER3 + packet(CORNERS), r"must have a header that ends with the line '#!END-HEADER'$"),
        (HEADER3 + END3[:-1], r"must have a header of whole lines; fetch it again$"),
        (WHOLE[:-1], r"must hold whole packets, but it ends 1 bytes early; fetch it again$"),
        (
            WHOLE + b"\1" * 9,
            r"must hold whole packets, but byte \d+ begins a header of 9 bytes in place",
        ),
        (aedat3(packet(CORNERS, number=5)), r"must hold packets of .*, not 5 events of 8 bytes in 4, before"),
        (
            aedat3(packet(CORNERS, number=2**32 - 1)),
            r"must hold packets of .*, not -1 events of 8 bytes",
        ),
        (aedat3(packet(CORNERS, size=0)), r"must hold packets of .*, not 4 events of 0 bytes in 4, before"),
        (aedat3(packet(CORNERS, size=16)), r"must hold polarity events of 8 .*, not of 16 bytes .* byte 4$"),
        (aedat3(packet(CORNERS, offset=0)), r"must hold polarity events of 8 .*, not of 8 bytes .* byte 0$"),
        (aedat3(packet([(1, 128, 0, 0)])), r"x must be below 128, not 128$"),
        (aedat3(packet([(1, 0, 32767, 0)])), r"y must be below 128, not 32767$"),
    ],
)
def test_bad_aedat3_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "e.aedat").write_bytes(content)
    with pytest.raises(InputError, match=r"^Event file '.*e\.aedat':? " + message):
        read_aedat3(tmp_path / "e.aedat")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for read in (read_aedat2, read_aedat3):
        with pytest.raises(InputError, match=r"^Event file '.*none' must be readable: "):
            read(tmp_path / "none")


@pytest.mark.parametrize("split", ["number", "time"])
@pytest.mark.parametrize(("count", "steps", "size"), [(1000, 10, 128), (997, 7, 48), (5, 5, 1), (1, 1, 64)])
def test_frames_count_events(count: int, steps: int, size: int, split: str) -> None:
    events = random_events(count, steps)
    found = integrate(as_events(events), steps, size, split)
    assert (found.dtype, found.shape) == (np.uint8, (steps, 2, size, size))
    assert np.array_equal(found, frames(events, steps, size, split))
    assert found.sum() == count


def test_counts_stay_at_255() -> None:
    events = [(i, 3, 4, 1) for i in range(300)] + [(300, 5, 4, 0)] * 254
    found = integrate(as_events(events), 1, 128)
    assert (found[0, 1, 4, 3], found[0, 0, 4, 5], np.count_nonzero(found)) == (255, 254, 2)


def test_events_at_one_time_are_in_one_frame() -> None:
    same = as_events([(70, i, 0, 0) for i in range(8)])
    assert integrate(same, 4, 128, "time").sum(axis=(1, 2, 3)).tolist() == [8, 0, 0, 0]
    assert integrate(same, 4, 128, "number").sum(axis=(1, 2, 3)).tolist() == [2, 2, 2, 2]
    late = as_events([(t, 0, 0, 0) for t in (10, 9, 11, 30, 109, 110)])  # one comes before the first
    assert integrate(late, 2, 1, "time").sum(axis=(1, 2, 3)).tolist() == [4, 2]


def test_between_takes_the_start_and_not_the_end() -> None:
    events = as_events([(t, t, 0, 0) for t in range(10)])
    assert as_list(events.between(3, 6)) == [(t, t, 0, 0) for t in (3, 4, 5)]
    assert len(events.between(20, 30)) == 0
