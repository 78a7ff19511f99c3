"""Worst-case ranges of everything a population computes (docs/numerics.md, "Widths")."""

from dataclasses import dataclass

import numpy as np

from spikefold.errors import ModelError
from spikefold.ir.network import Network
from spikefold.ir.neuron import Integers, Neuron, ShiftSum, ShiftSums, ladder_weights
from spikefold.ir.projections import Identity, reach
from spikefold.ir.stages import Population

Range = tuple[int, int]

MAX_MAGNITUDE = 1 << 50
MAX_SUM = 1 << 62


def signed_bits(*ranges: Range) -> int:
    """Width of the two's complement number that holds all of the ranges."""
    low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
    return max((high if high >= 0 else ~high).bit_length(), (low if low >= 0 else ~low).bit_length()) + 1


@dataclass(frozen=True)
class Bounds:
    """Ranges (inclusive) over all channels, time steps and possible inputs.

    Attributes
    ----------
    accumulator
        `Σ A` of all projections but the identities.
    sums
        `Σ A` of all projections.
    current
        `I = (Σ A << F) + b`.
    leak
        Sums inside the leak and reset factor, before their shift right; (0, 0) where there are none.
    potential
        `u` before any saturation, `u + h`, and every difference the ladder forms.
    membrane
        `v` as it is kept for the next step (for a readout: the sum of currents).
    """

    accumulator: Range
    sums: Range
    current: Range
    leak: Range
    potential: Range
    membrane: Range


@dataclass(frozen=True)
class _Interval:
    """One range per channel."""

    low: Integers
    high: Integers

    def __add__(self, other: "_Interval") -> "_Interval":
        return _Interval(self.low + other.low, self.high + other.high)

    def hull(self, other: "_Interval") -> "_Interval":
        return _Interval(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    @property
    def range(self) -> Range:
        return int(self.low.min()), int(self.high.max())


def _zero(channels: int) -> _Interval:
    return _Interval(np.zeros(channels, np.int64), np.zeros(channels, np.int64))


def sum_interval(network: Network, population: Population, step: int, identities: bool = True) -> _Interval:
    """Range per channel of `Σ A` at one time step, exact for independent source levels."""
    total = _zero(population.channels)
    for projection in population.projections:
        if identities or not isinstance(projection, Identity):
            low, high = reach(projection, network.levels_of(projection.source))
            row = step if len(low) > 1 else 0
            total += _Interval(low[row], high[row])
    return total


def _through(factor: ShiftSum | ShiftSums, v: _Interval) -> _Interval:
    """Image of an interval: the factor is monotone, in the direction of its sign."""
    a, b = factor.apply(v.low), factor.apply(v.high)
    return _Interval(np.minimum(a, b), np.maximum(a, b))


def _inside(factor: ShiftSum | ShiftSums, v: _Interval) -> Range:
    """Range of every partial sum of shifted terms, rounding term included."""
    reach = np.maximum(np.maximum(-v.low, v.high), 0).astype(object)  # beyond 64 bits before it is refused
    peak = int((reach * factor.span).max()) + (1 << factor.precision)
    if peak >= MAX_SUM:
        raise ModelError(f"Leak and reset factor must stay within 63 bits, but a sum reaches {peak}")
    return -peak, peak


def _kept(neuron: Neuron, u: _Interval, step: int) -> _Interval:
    """Range per channel of `v` after the reset."""
    theta, half = neuron.at(step)
    lowest = neuron.lowest[step if len(neuron.lowest) > 1 else 0]
    silent_high = lowest - 1 if neuron.fire_floor is None else neuron.fire_floor - 1
    if neuron.reset == "subtract":
        quiet = lowest - 1
        if neuron.fire_floor is not None:
            quiet = np.maximum(quiet, silent_high)
        least = lowest - theta if neuron.levels == 1 else -half
        fires = u.high >= lowest
        return _Interval(
            np.where(fires, np.minimum(u.low, least), u.low),
            np.maximum(np.minimum(u.high, quiet), u.high - neuron.levels * theta),
        )
    if neuron.reset == "zero":
        return _Interval(np.minimum(u.low, 0), np.maximum(0, np.minimum(u.high, silent_high)))
    return u


def _ladder(neuron: Neuron, u: _Interval, step: int) -> _Interval:
    """Range per channel of `u`, `u + h` and the differences of the ladder."""
    theta, half = neuron.at(step)
    deepest = max(ladder_weights(neuron.levels, neuron.rounding)) * theta
    if neuron.rounding == "half_even":
        deepest = np.maximum(deepest, theta | 1)
    low = np.minimum(u.low, np.minimum(u.low + half, 0) - deepest)
    return _Interval(low, u.high + half)


def population_bounds(network: Network, population: Population) -> Bounds:
    """Worst-case ranges of a population, by interval arithmetic over its time steps.

    Raises
    ------
    ModelError
        If a value needs more than 51 bits.
    """
    neuron = population.neuron
    v = _zero(population.channels)
    accumulator = total = current = membrane = potential = v
    leak: Range = (0, 0)
    for step in range(network.steps):
        windows = sum_interval(network, population, step, identities=False)
        sums = sum_interval(network, population, step)
        bias = population.bias_at(step)
        flow = _Interval((sums.low << population.fraction) + bias, (sums.high << population.fraction) + bias)
        accumulator, total, current = accumulator.hull(windows), total.hull(sums), current.hull(flow)
        if neuron is None:
            v = v + flow
            potential = potential.hull(v)
        else:
            if step > 0:
                leak = _join(leak, _inside(neuron.leak, v))
            u = _through(neuron.leak, v) + flow
            potential = potential.hull(u)
            if neuron.factor is not None and step > 0:
                leak = _join(leak, _inside(neuron.factor, u))
                u = u.hull(_through(neuron.factor, u))
                potential = potential.hull(u)
            u = _Interval(neuron.saturate(u.low), neuron.saturate(u.high))
            potential = potential.hull(_ladder(neuron, u, step))
            v = _kept(neuron, u, step)
            v = _Interval(neuron.saturate(v.low), neuron.saturate(v.high))
        membrane = membrane.hull(v)
        _check_magnitude(population.name, potential.range)
    return Bounds(accumulator.range, total.range, current.range, leak, potential.range, membrane.range)


def _join(a: Range, b: Range) -> Range:
    return min(a[0], b[0]), max(a[1], b[1])


def _check_magnitude(name: str, values: Range) -> None:
    if max(-values[0], values[1]) >= MAX_MAGNITUDE:
        raise ModelError(
            f"Membrane of {name!r} must stay within 51 bits, but reaches {values[0]}..{values[1]}; "
            "use fewer weight bits or cap the membrane"
        )
