"""How many clock cycles a bit on the wire takes: a fraction, from one accumulator."""

from dataclasses import dataclass
from fractions import Fraction

from spikefold.errors import InputError

FEWEST_CYCLES, MOST_CYCLES = 4, 1 << 16
"""Clock cycles of a bit: with fewer a receiver cannot find its middle, more are of no use."""

_FINENESS = 9
"""Bits of the accumulator beyond those of a bit's cycles: the rate is then right to 1 in 1000."""


@dataclass(frozen=True)
class BitRate:
    """The rate of a wire, as a clocked circuit can keep it.

    An accumulator of `bits` bits grows by `step` in every cycle; a bit ends when it overflows. So a bit takes
    a fraction of cycles on average, each of its ends is late by less than one cycle, and what adds up over a
    byte is `error` alone.

    Parameters
    ----------
    clock_hz
        Frequency of the clock.
    baud
        Bits a second.

    Raises
    ------
    InputError
        If a bit takes fewer than 4 or more than 65536 cycles.
    """

    clock_hz: int
    baud: int

    def __post_init__(self) -> None:
        if not 0 < FEWEST_CYCLES * self.baud <= self.clock_hz <= MOST_CYCLES * self.baud:
            most = self.clock_hz // FEWEST_CYCLES
            raise InputError(
                f"A bit must take {FEWEST_CYCLES} to {MOST_CYCLES} cycles, so a clock of {self.clock_hz} Hz "
                f"allows at most {most} baud, not {self.baud!r}"
            )

    @property
    def cycles(self) -> Fraction:
        """Cycles of a bit, as asked for."""
        return Fraction(self.clock_hz, self.baud)

    @property
    def bits(self) -> int:
        """Bits of the accumulator."""
        return (self.clock_hz // self.baud).bit_length() + _FINENESS

    @property
    def step(self) -> int:
        """What is added to it in every cycle."""
        return round((1 << self.bits) / self.cycles)

    @property
    def error(self) -> float:
        """How much the rate is off: 0.001 is one in a thousand too fast; no more than that."""
        return float(Fraction(self.step, 1 << self.bits) * self.cycles - 1)
