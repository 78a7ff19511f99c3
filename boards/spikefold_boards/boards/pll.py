"""What a PLL can make of an oscillator: exact settings, and the fastest below a limit."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from spikefold.errors import InputError

MEGA = 1_000_000


@dataclass(frozen=True)
class Range:
    """Frequencies that a part of a PLL allows, in MHz, both ends included."""

    low: Fraction
    high: Fraction

    def holds(self, mhz: Fraction) -> bool:
        """Whether a frequency is allowed."""
        return self.low <= mhz <= self.high


def span(low: float, high: float) -> Range:
    """A range from numbers that floats hold exactly."""
    return Range(Fraction(low), Fraction(high))


@dataclass(frozen=True)
class Setting:
    """One legal setting of a PLL.

    Attributes
    ----------
    mhz
        The exact frequency of its output.
    vco
        The frequency of its oscillator, MHz.
    values
        Its dividers by the names of the cell's parameters, and what follows from them.
    """

    mhz: Fraction
    vco: Fraction
    values: Mapping[str, int]

    @property
    def hertz(self) -> int:
        """The output's frequency, rounded to whole Hz."""
        return round(self.mhz * MEGA)


@dataclass(frozen=True)
class Limits:
    """What a PLL allows, as its data sheet has it."""

    detector: Range
    oscillator: Range
    output: Range

    def allow(self, detector: Fraction, oscillator: Fraction, output: Fraction) -> bool:
        """Whether three frequencies in MHz are all within it."""
        return (
            self.detector.holds(detector) and self.oscillator.holds(oscillator) and self.output.holds(output)
        )


def fastest(settings: Iterable[Setting], limit: float, middle: Fraction) -> Setting:
    """The setting with the highest output of at most ``limit`` MHz.

    Of several the one whose oscillator is nearest to ``middle`` MHz, and of these the one with the smallest
    dividers.

    Raises
    ------
    InputError
        No setting is that slow.
    """
    best = max(
        (setting for setting in settings if setting.mhz <= limit),
        key=lambda one: (one.mhz, -abs(one.vco - middle), -sum(one.values.values())),
        default=None,
    )
    if best is None:
        raise InputError(
            f"Clock must be a frequency that the board's PLL can make, not {limit:g} MHz or less"
        )
    return best


def multiples(low: Fraction, high: Fraction, most: int) -> Iterator[int]:
    """Whole numbers of ``low`` to ``high``, from 1 to ``most``."""
    return iter(range(max(1, -(-low.numerator // low.denominator)), min(most, int(high)) + 1))
