"""The protocol between a host and a device on a UART: what frames hold, on both sides the same text.

`docs/hosts.md` tells it byte by byte.
"""

import zlib
from dataclasses import dataclass
from enum import IntEnum

from spikefold_hw.host.uart import cobs

VERSION = 1
"""Of the protocol; a driver talks to devices of its own version only."""

END = b"\0"
"""Ends a frame, and whatever came before it."""

CHECK_BYTES = 4
HEAD_BYTES = 3
"""Bytes before the payload of a frame to the device."""

NO_SESSION = 0
"""Session of a device that was reset."""


class Command(IntEnum):
    """What a host asks for: a bit each; with none of them the device tells its status."""

    STATUS = 0
    START = 1
    READ = 2
    RESET = 4
    DATA = 8


class Mode(IntEnum):
    """Options of a session, bits."""

    LOGITS = 1
    LOAD = 2


class Kind(IntEnum):
    """What a device answers: a bit each."""

    STATUS = 0
    HELLO = 1
    VALUE = 2
    RESULT = 4


class Flag(IntEnum):
    """What is told in the same byte as the kind, bits."""

    REFUSED = 0x10
    ERROR = 0x20
    LOADED = 0x40
    LOAD_ERROR = 0x80


_KINDS = 0x0F


def command(code: Command, first: int = 0, second: int = 0, payload: bytes = b"") -> bytes:
    """A frame to the device, as it goes over the wire.

    Parameters
    ----------
    code
        What is asked for.
    first, second
        Of `START` the session, 1..255, and its `Mode`; of `READ` the address; of `DATA` its number and the
        round.
    payload
        Of `DATA`: bytes of samples, or of a load.

    Raises
    ------
    InputError
        If the payload is too long.
    """
    head = bytes([code, first, second])
    return cobs.encode(checked(head + payload)) + END


def checked(body: bytes) -> bytes:
    """A body with its CRC-32 behind it, least significant byte first."""
    return body + zlib.crc32(body).to_bytes(CHECK_BYTES, "little")


def unchecked(frame: bytes | None) -> bytes | None:
    """The body of a frame; None if its checksum is wrong."""
    if frame is None or len(frame) < CHECK_BYTES or checked(frame[:-CHECK_BYTES]) != frame:
        return None
    return frame[:-CHECK_BYTES]


@dataclass(frozen=True)
class Answer:
    """A frame from the device.

    Attributes
    ----------
    kind, flags
        What it is; `Flag` bits.
    session
        Of the device; 0 after a reset.
    consumed
        Bytes that were taken out of the buffer since the session began, modulo its size, in units of its
        size / 256.
    expected
        Number of the next `DATA` frame.
    round
        Of the last `DATA` frame with a right checksum.
    number
        Of a `RESULT` its number; of a `VALUE` the address; of a `HELLO` the number of the first result of
        this session; of a `STATUS` the number of the next result.
    body
        What is left.
    """

    kind: Kind
    flags: int
    session: int
    consumed: int
    expected: int
    round: int
    number: int
    body: bytes

    @classmethod
    def of(cls, wire: bytes) -> "Answer | None":
        """The answer in the bytes before an `END`; None if they are damaged."""
        body = unchecked(cobs.decode_backward(wire))
        if body is None or len(body) < ANSWER_HEAD:
            return None
        try:
            kind = Kind(body[0] & _KINDS)
        except ValueError:
            return None
        numbers = dict(zip(_NUMBERS, body[1:ANSWER_HEAD], strict=True))
        return cls(kind=kind, flags=body[0] & ~_KINDS, **numbers, body=body[ANSWER_HEAD:])

    @property
    def wire(self) -> bytes:
        """The bytes of the frame, with their `END`."""
        head = bytes([self.kind | self.flags, *(getattr(self, name) for name in _NUMBERS)])
        return cobs.encode_backward(checked(head + self.body)) + END

    def has(self, flag: Flag) -> bool:
        """Whether a flag is set."""
        return bool(self.flags & flag)


_NUMBERS = ("session", "consumed", "expected", "round", "number")
ANSWER_HEAD = 1 + len(_NUMBERS)
"""Bytes before the body of an answer."""
