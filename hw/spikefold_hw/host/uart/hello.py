"""What a device says of itself: the body of its first answer, and contents of a memory in it."""

import struct
from dataclasses import astuple, dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold.ir.maps import Map
from spikefold_hw.host.registers import CONSTANT_NAMES
from spikefold_hw.order import Order, Time
from spikefold_hw.streams import EventStream

_HELLO = struct.Struct("<8I4B4I")
HELLO_BYTES = _HELLO.size
"""Bytes of a hello."""


class Trait(IntEnum):
    """What else there is to know of a device, bits."""

    POSITION_MAJOR = 1
    LOADED = 2


@dataclass(frozen=True)
class Hello:
    """What a device says of itself.

    Attributes
    ----------
    identification
        Values of the constant registers of `host.registers`, in their order.
    version
        Of the protocol.
    buffer_bits
        Logarithm of the bytes that the device's buffer holds.
    logit_bits
        Of a logit in a result; 0 where logits are not sent, as they do not fit in a frame.
    traits
        `Trait` bits.
    channels, positions, steps
        Of the input; a sample has as many levels as their product.
    clock_khz
        Of the clock that the counter `cycles` counts.
    """

    identification: tuple[int, ...]
    version: int
    buffer_bits: int
    logit_bits: int
    traits: int
    channels: int
    positions: int
    steps: int
    clock_khz: int

    @property
    def packed(self) -> bytes:
        """The body of the answer."""
        return _HELLO.pack(*self.identification, *astuple(self)[1:])

    @classmethod
    def of(cls, body: bytes) -> "Hello | None":
        """What a body says; None if it has another length."""
        if len(body) != _HELLO.size:
            return None
        words = _HELLO.unpack(body)
        return cls(words[: len(CONSTANT_NAMES)], *words[len(CONSTANT_NAMES) :])

    def has(self, trait: Trait) -> bool:
        """Whether it has a trait."""
        return bool(self.traits & trait)

    def register(self, name: str) -> int:
        """A constant of the register map by its name."""
        return self.identification[CONSTANT_NAMES.index(name)]

    @property
    def events(self) -> EventStream:
        """What a sample is; its map is one row, whatever the picture was."""
        order: Order = "position_major" if self.has(Trait.POSITION_MAJOR) else "step_major"
        return EventStream(
            Map(self.channels, 1, self.positions), self.register("largest_level"), Time(self.steps, order)
        )

    def levels_of(self, x: NDArray[np.generic]) -> NDArray[np.int64]:
        """Samples as levels, shape (samples, steps, channels, 1, positions).

        Parameters
        ----------
        x
            Integers, shape (samples, .. all levels of a sample), or with those of one step for all steps.

        Raises
        ------
        InputError
            If they are not.
        """
        given, largest = np.asarray(x), self.register("largest_level")
        size = self.channels * self.positions
        steps, rest = divmod(int(np.prod(given.shape[1:])), size)
        fits = given.dtype.kind in "iu" and (not given.size or 0 <= given.min() <= given.max() <= largest)
        if rest or steps not in (1, self.steps) or not fits:
            raise InputError(
                f"Samples for a device without its design must be integer levels 0..{largest}, {size} for "
                f"each sample and step, not {given.dtype} of shape {given.shape}; or give the design, too"
            )
        return given.astype(np.int64).reshape(len(given), steps, self.channels, 1, self.positions)
