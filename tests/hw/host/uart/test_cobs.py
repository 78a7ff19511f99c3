"""Stuffing: the inverse of itself, without zeros, of the length that is promised."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikefold.errors import InputError
from spikefold_hw.host.uart import cobs


def test_frames_come_back():
    rng = np.random.default_rng(0)
    for length in [*range(12), *rng.integers(12, cobs.LONGEST, 60), cobs.LONGEST - 1]:
        frame = rng.choice([0, 1, 2, 255], length)
        frame = bytes(frame.tolist())
        for encode, decode in ((cobs.encode, cobs.decode), (cobs.encode_backward, cobs.decode_backward)):
            wire = encode(frame)
            assert decode(wire) == frame
            assert 0 not in wire
            assert len(wire) == len(frame) + 1


def test_a_long_frame_without_zeros_comes_back():
    frame = bytes([7]) * (cobs.LONGEST - 1)
    assert cobs.decode(cobs.encode(frame)) == frame
    assert 255 not in cobs.encode(frame)


@pytest.mark.parametrize(
    ("frame", "forward", "backward"),
    [
        (b"", b"\x01", b"\x01"),
        (b"\0", b"\x01\x01", b"\x01\x01"),
        (b"\x11\x22\0\x33", b"\x03\x11\x22\x02\x33", b"\x11\x22\x03\x33\x02"),
    ],
)
def test_known_frames(frame, forward, backward):
    assert cobs.encode(frame) == forward
    assert cobs.encode_backward(frame) == backward


@given(st.binary(max_size=40))
def test_anything_is_decoded_or_refused(data):
    found = cobs.decode(data)
    assert found is None or len(found) == len(data) - 1


def test_a_frame_that_is_too_long_is_refused():
    with pytest.raises(InputError, match=r"^Frame must have at most 253 bytes, not 254$"):
        cobs.encode(bytes(254))
