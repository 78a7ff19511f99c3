"""The neuron (docs/numerics.md) from the current onward, for all time steps of a population at once."""

import torch
from torch import Tensor

from spikefold.golden.precision import floor_divide, shift_right
from spikefold.ir import Network, Neuron, Population, ShiftSum, ShiftSums, population_bounds
from spikefold.ir.neuron import Integers


def neuron_magnitude(network: Network, population: Population) -> int:
    """Largest value between current and membrane, sums inside the leak included."""
    bounds = population_bounds(network, population)
    ranges = (bounds.current, bounds.leak, bounds.potential, bounds.membrane)
    return max(abs(value) for pair in ranges for value in pair)


class Neurons:
    """The update rule of a neuron, with its parameters as tensors of type `dtype`."""

    def __init__(self, neuron: Neuron, steps: int, dtype: torch.dtype) -> None:
        self._neuron, self._steps, self._dtype = neuron, steps, dtype
        self._theta = _by_channel(neuron.threshold, dtype)
        self._half = _by_channel(neuron.half, dtype)
        self._even = _by_channel(1 - neuron.threshold % 2, dtype)
        floor = neuron.fire_floor
        self._floor = None if floor is None else _by_channel(floor, torch.float64)
        self._leak = _Factor(neuron.leak, dtype)
        self._factor = None if neuron.factor is None else _Factor(neuron.factor, dtype)

    def __call__(self, currents: Tensor, membranes: Tensor | None = None) -> Tensor:
        """Return levels (T, samples, channels, rows, columns) in float32.

        `currents` are (T or 1, samples, channels, rows, columns); `v` after every step is written to
        `membranes`, a tensor of the levels' shape.
        """
        _, samples, *shape = currents.shape
        levels = torch.empty(
            (self._steps * samples, *shape), dtype=self._dtype, memory_format=torch.channels_last
        ).view(self._steps, samples, *shape)
        v: Tensor | None = None
        fired: Tensor | None = None
        for step, level in enumerate(levels):
            u = self._charge(currents[step if len(currents) > 1 else 0], v, fired)
            fired = self._fire(u, step, level)
            if membranes is not None or step + 1 < self._steps:
                v = self._reset(u, level, fired, step)
                if membranes is not None:
                    membranes[step] = v
        return levels.to(torch.float32)

    def _charge(self, current: Tensor, v: Tensor | None, fired: Tensor | None) -> Tensor:
        """`u`, in the place of `v`; a sample starts with `v = 0`, None here."""
        if v is None:
            return self._saturate(current)
        u = self._leak.scale(v).add_(current)
        if fired is not None and self._factor is not None:
            u = torch.where(fired, self._factor.scale(u.clone()), u)
        return self._saturate(u)

    def _row(self, values: Tensor, step: int) -> Tensor:
        return values[step if len(values) > 1 else 0]

    def _fire(self, u: Tensor, step: int, level: Tensor) -> Tensor | None:
        """Fill in the levels; return who fired where a later line asks for it."""
        rest = u if self._neuron.rounding == "floor" else torch.add(u, self._row(self._half, step), out=level)
        floor_divide(rest, self._row(self._theta, step), out=level).clamp_(0, self._neuron.levels)
        if self._neuron.rounding == "half_even":
            self._ties_to_even(u, step, level)
        if self._floor is not None:
            fired = u >= self._floor
            level.mul_(fired)
            return fired
        return level > 0 if self._neuron.reset in ("zero", "scale") else None

    def _ties_to_even(self, u: Tensor, step: int, level: Tensor) -> None:
        """Lower the odd levels whose multiple of an even θ is `u + h`: whole numbers, so it is exact."""
        over = torch.add(u, self._row(self._half, step))
        over = torch.addcmul(over, level, self._row(self._theta, step), value=-1)
        level.sub_((over == 0) * self._row(self._even, step) * level.remainder(2))

    def _reset(self, u: Tensor, level: Tensor, fired: Tensor | None, step: int) -> Tensor:
        """`v`, in memory of its own.

        It needs no second saturation: where `n > 0`, `-h <= u - nθ < u`, and `h <= θ - h <= u`.
        """
        if self._neuron.reset == "subtract":
            return torch.addcmul(u, level, self._row(self._theta, step), value=-1)
        if self._neuron.reset == "zero" and fired is not None:
            return u.masked_fill(fired, 0)
        return u.clone()

    def _saturate(self, v: Tensor) -> Tensor:
        bits = self._neuron.membrane_bits
        if bits is None:
            return v
        return v.clamp(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def _by_channel(values: Integers, dtype: torch.dtype) -> Tensor:
    return torch.tensor(values, dtype=dtype, device="cpu")[..., None, None]


class _Factor:
    """A shift sum, or one for each channel, that scales (samples, channels, rows, columns)."""

    def __init__(self, factor: ShiftSum | ShiftSums, dtype: torch.dtype) -> None:
        self._places = factor.precision
        whole = factor.numerator
        self._numerator = whole if isinstance(whole, int) else _by_channel(whole, dtype)

    def scale(self, v: Tensor) -> Tensor:
        """`apply` of the factor, in place."""
        if isinstance(self._numerator, Tensor) or self._numerator != 1 or self._places:
            v.mul_(self._numerator)
        if self._places == 0:
            return v
        return shift_right(v.add_(1 << self._places >> 1), self._places)
