"""The integer neuron of every supported paper: its parameters and its exact update rule."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import ModelError, shown

Rounding = Literal["half_up", "half_even", "floor"]
Reset = Literal["subtract", "zero", "scale", "none"]
Integers = NDArray[np.int64]

MAX_SHIFT = 15
MAX_FRACTION = 8
MIN_MEMBRANE_BITS = 4
MAX_MEMBRANE_BITS = 48
MAX_INTEGER = 1 << 50


def as_integer(subject: str, value: object, low: int, high: int) -> int:
    """Return `value` as an int of `low..high`; refuse floats and truth values."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # it refuses what has no index
    except TypeError:
        number = None
    if number is None or isinstance(value, bool | np.bool_) or not low <= number <= high:
        raise ModelError(f"{subject} must be {low}..{high}, not {shown(value)}")
    return number


def as_integers(subject: str, value: object, dimensions: int) -> Integers:
    """Return `value` as a read-only int64 array; refuse anything that is not integers of at most 51 bits."""
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise ModelError(f"{subject} must hold integers, not {array.dtype}")
    if array.ndim != dimensions:
        raise ModelError(f"{subject} must have {dimensions} dimensions, not shape {array.shape}")
    if array.size and not (array.min() >= -MAX_INTEGER and array.max() <= MAX_INTEGER):
        raise ModelError(f"{subject} must fit 51 bits, not {array.min()}..{array.max()}")
    array = array.astype(np.int64)
    array.setflags(write=False)
    return array


@dataclass(frozen=True)
class ShiftSum:
    """A factor written as signed powers of two, `Σ sign · 2^-shift`, so that it needs no multiplier.

    Parameters
    ----------
    terms
        Pairs `(sign, shift)`, sign +1 or -1, shift 0..15. No term at all is the factor 0.
    """

    terms: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        for sign, shift in self.terms:
            as_integer("Shift", shift, 0, MAX_SHIFT)
            if as_integer("Sign of a shift term", sign, -1, 1) == 0:
                raise ModelError("Sign of a shift term must be -1 or +1, not 0")

    @property
    def precision(self) -> int:
        """The largest shift `E`."""
        return max((shift for _, shift in self.terms), default=0)

    @property
    def numerator(self) -> int:
        """The factor times `2^E`."""
        return sum(sign << (self.precision - shift) for sign, shift in self.terms)

    @property
    def value(self) -> float:
        """The factor."""
        return self.numerator / (1 << self.precision)

    @property
    def span(self) -> int:
        """The terms' magnitudes added up, times `2^E`: how far a partial sum may reach."""
        return sum(1 << (self.precision - shift) for _, shift in self.terms)

    def apply(self, v: Integers) -> Integers:
        """`(Σ ±(v << (E - e)) + 2^(E-1)) >> E`; no rounding term if E = 0."""
        half = (1 << self.precision) >> 1
        return (v * self.numerator + half) >> self.precision


UNITY = ShiftSum(((1, 0),))


@dataclass(frozen=True)
class ShiftSums:
    """A factor of each channel, written as `ShiftSum`s with one precision `E`, the largest of theirs.

    To a channel it does what its own sum does: a numerator times `2^k` over a denominator times `2^k` is
    rounded alike.

    Parameters
    ----------
    channels
        The sum of each channel; at least one.
    """

    channels: tuple[ShiftSum, ...]

    def __post_init__(self) -> None:
        if not self.channels:
            raise ModelError("A factor per channel must have a shift sum for each, but has none")

    @property
    def precision(self) -> int:
        """The largest shift `E` of all channels."""
        return max(each.precision for each in self.channels)

    @property
    def numerator(self) -> Integers:
        """The factors times `2^E`, (channels,)."""
        return np.array([each.numerator << (self.precision - each.precision) for each in self.channels])

    @property
    def value(self) -> NDArray[np.float64]:
        """The factors, (channels,)."""
        return np.array([each.value for each in self.channels])

    @property
    def span(self) -> Integers:
        """As `ShiftSum.span`, (channels,)."""
        return np.array([each.span << (self.precision - each.precision) for each in self.channels])

    @property
    def longest(self) -> ShiftSum:
        """The sum with the most terms."""
        return max(self.channels, key=lambda each: len(each.terms))

    def apply(self, v: Integers) -> Integers:
        """`(Σ ±(v << (E - e)) + 2^(E-1)) >> E` with each channel's terms, on shape (.., channels)."""
        half = (1 << self.precision) >> 1
        scaled: Integers = (v * self.numerator + half) >> self.precision
        return scaled


@dataclass(frozen=True, eq=False)
class Neuron:
    """Parameters of a spiking population, shared by its channels unless they have a channel axis.

    Parameters
    ----------
    levels
        `D`, the largest level, 1..255.
    threshold
        `θ >= 1`, shape (T or 1, channels).
    rounding
        "half_up" adds `h = θ >> 1` before the division (PIT), "floor" adds nothing (QB-LIF). "half_even" is
        "half_up", but a tie gives the even level (I-LIF as SpikingJelly and PyTorch round).
    reset
        "subtract" (PIT, LIF), "zero" (ReverB), "scale" (QB-LIF) or "none".
    leak
        What is left of the membrane after a step: one factor, or one for each channel, which is one where
        they are all alike.
    factor
        Reset factor; present exactly where reset is "scale".
    fire_floor
        `ν`, shape (channels,): a neuron fires only with `u >= ν` (ReverB's V_th); or None.
    membrane_bits
        Width the membrane saturates to, or None: wide enough that it never does.
    """

    levels: int
    threshold: Integers
    rounding: Rounding = "half_up"
    reset: Reset = "subtract"
    leak: ShiftSum | ShiftSums = field(default=UNITY)
    factor: ShiftSum | None = None
    fire_floor: Integers | None = None
    membrane_bits: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", as_integer("Neuron levels D", self.levels, 1, 255))
        object.__setattr__(self, "threshold", as_integers("Threshold", self.threshold, 2))
        if self.threshold.size == 0 or self.threshold.min() < 1:
            raise ModelError(f"Threshold must be at least 1, not {self.threshold.min(initial=0)}")
        if isinstance(self.leak, ShiftSums):
            object.__setattr__(self, "leak", _agreed(self.leak, self.threshold.shape[1]))
        _one_of("Rounding", self.rounding, get_args(Rounding))
        _one_of("Reset", self.reset, get_args(Reset))
        if self.reset == "scale" and self.factor is None:
            raise ModelError("Reset 'scale' must come with a reset factor, but has none")
        if self.reset != "scale" and self.factor is not None:
            raise ModelError(f"A reset factor must come with reset 'scale', not with {self.reset!r}")
        if self.fire_floor is not None:
            object.__setattr__(self, "fire_floor", as_integers("Fire floor", self.fire_floor, 1))
            if self.fire_floor.shape != self.threshold.shape[1:]:
                raise ModelError(
                    f"Fire floor must have shape {self.threshold.shape[1:]}, not {self.fire_floor.shape}"
                )
        if self.membrane_bits is not None:
            bits = as_integer("Membrane bits", self.membrane_bits, MIN_MEMBRANE_BITS, MAX_MEMBRANE_BITS)
            object.__setattr__(self, "membrane_bits", bits)

    @property
    def half(self) -> Integers:
        """`h`, shape of the threshold: what is added before the division."""
        return np.zeros_like(self.threshold) if self.rounding == "floor" else self.threshold >> 1

    @property
    def lowest(self) -> Integers:
        """The smallest `u` with a level above 0, but for the fire floor; shape of the threshold."""
        tie = 1 - self.threshold % 2 if self.rounding == "half_even" else 0
        return self.threshold - self.half + tie

    @property
    def first_spike(self) -> Integers:
        """The smallest `u` with which a channel fires at any time step, (channels,)."""
        least: Integers = self.lowest.min(0)
        return least if self.fire_floor is None else np.maximum(least, self.fire_floor)

    @property
    def can_fire(self) -> NDArray[np.bool_]:
        """Whether the first spike of a channel lies within a capped membrane, (channels,)."""
        within: NDArray[np.bool_] = self.saturate(self.first_spike) == self.first_spike
        return within

    def at(self, step: int) -> tuple[Integers, Integers]:
        """Return `(θ, h)` of a time step, each of shape (channels,)."""
        row = step if len(self.threshold) > 1 else 0
        return self.threshold[row], self.half[row]

    def saturate(self, v: Integers) -> Integers:
        """Clip to the capped membrane width; without a cap, return `v`."""
        if self.membrane_bits is None:
            return v
        limit = 1 << (self.membrane_bits - 1)
        return np.clip(v, -limit, limit - 1)

    def step(
        self, current: Integers, v: Integers, fired: NDArray[np.bool_], step: int
    ) -> tuple[Integers, Integers, NDArray[np.bool_]]:
        """One time step on arrays of shape (..., channels); returns `(level, v, fired)`.

        `current` is `I`, shifted and biased. This is the reference every other form is tested
        against: a direct transcription of docs/numerics.md, "The neuron".
        """
        theta, half = self.at(step)
        u: Integers = self.leak.apply(v) + current
        if self.factor is not None:
            u = np.where(fired, self.factor.apply(u), u)
        u = self.saturate(u)
        n: Integers = np.clip((u + half) // theta, 0, self.levels)
        if self.rounding == "half_even":
            tie = (u + half == n * theta) & (theta % 2 == 0)
            n = n - (tie & (n % 2 == 1))
        fired = n > 0 if self.fire_floor is None else u >= self.fire_floor
        n = np.where(fired, n, 0)
        if self.reset == "subtract":
            v = u - n * theta
        elif self.reset == "zero":
            v = np.where(fired, np.int64(0), u)
        else:
            v = u
        return n, self.saturate(v), fired


def ladder_weights(levels: int, rounding: Rounding = "half_up") -> tuple[int, ...]:
    """The multiples of θ that the divider-free ladder subtracts in turn, `(m, 2^(K-2), .., 1)`.

    Each is subtracted only if the rest stays >= 0; the level is the sum of those taken. They add
    up to `levels`, so no clip is needed (docs/numerics.md, "The neuron").

    With "half_even" all but the last are even. For an even `levels` they are those of `levels / 2`, doubled,
    and a 1, which is not taken after all of the others.
    """
    if rounding == "half_even" and levels % 2 == 0:
        return (*(2 * weight for weight in ladder_weights(levels // 2)), 1)
    steps = levels.bit_length()
    top = levels - ((1 << (steps - 1)) - 1)
    return (top, *(1 << k for k in reversed(range(steps - 1))))


def _agreed(leak: ShiftSums, channels: int) -> ShiftSum | ShiftSums:
    """The one leak of all channels where these agree."""
    if len(leak.channels) != channels:
        raise ModelError(
            f"Leak must be of {channels} channels, as the threshold, not of {len(leak.channels)}"
        )
    return leak if len(set(leak.channels)) > 1 else leak.channels[0]


def _one_of(subject: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ModelError(f"{subject} must be one of {', '.join(map(repr, allowed))}, not {shown(value)}")
