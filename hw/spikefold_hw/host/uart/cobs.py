"""Consistent overhead byte stuffing: bytes without a zero, so that a zero can end a frame.

A frame's zeros go, and in the place of each stands how far it is to the next one. A host's frames have that
number before the bytes that it counts, and a device's behind them: so both the decoder and the encoder of the
device are one counter, and look neither ahead nor back. `encode` and `decode` are the host's.
"""

from spikefold.errors import InputError

LONGEST = 254
"""Bytes of a frame at most; so none of the numbers is 255, which has a meaning of its own."""


def encode(data: bytes) -> bytes:
    """Stuff the bytes of a frame, each number before what it counts.

    Raises
    ------
    InputError
        If there are more than `LONGEST`.
    """
    if len(data) > LONGEST - 1:
        raise InputError(f"Frame must have at most {LONGEST - 1} bytes, not {len(data)}")
    return b"".join(bytes([len(part) + 1]) + part for part in data.split(b"\0"))


def decode(data: bytes) -> bytes | None:
    """The bytes of a frame that was stuffed; None if this is no such frame."""
    parts, place = [], 0
    while place < len(data):
        after = place + data[place]
        if after == place or after > len(data):
            return None
        parts.append(data[place + 1 : after])
        place = after
    return b"\0".join(parts) if parts else None


def encode_backward(data: bytes) -> bytes:
    """As `encode`, each number behind what it counts."""
    return encode(data[::-1])[::-1]


def decode_backward(data: bytes) -> bytes | None:
    """As `decode`, each number behind what it counts."""
    frame = decode(data[::-1])
    return None if frame is None else frame[::-1]
