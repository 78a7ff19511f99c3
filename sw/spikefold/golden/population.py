"""One population of the golden model, prepared once: weights and parameters in the type that is exact."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from spikefold.golden.precision import exact_dtype, floor_divide, shift_right
from spikefold.ir import Network, Neuron, Population, ShiftSum, population_bounds
from spikefold.ir.neuron import Integers


def current_magnitude(network: Network, population: Population) -> int:
    """Largest partial sum of any current, in any order: `(Σ|w|·n_max << F) + |b|`."""
    reach = np.zeros((1, population.channels), np.int64)
    for projection in population.projections:
        reach = reach + abs(projection.weight).sum(axis=2) * network.levels_of(projection.source)
    return int(((reach << population.fraction) + abs(population.bias)).max())


def neuron_magnitude(network: Network, population: Population) -> int:
    """Largest value between current and membrane, sums inside the leak included."""
    bounds = population_bounds(network, population)
    ranges = (bounds.current, bounds.leak, bounds.potential, bounds.membrane)
    return max(abs(value) for pair in ranges for value in pair)


class Currents:
    """`I = (Σ A << F) + b` of every time step, by matrix products.

    The shift is part of the weights: a power of two changes no rounding.
    """

    def __init__(self, network: Network, population: Population) -> None:
        self.dtype = exact_dtype(current_magnitude(network, population))
        self._bias = self._tensor(population.bias[:, None])
        self._weights = [
            (p.source, self._tensor(p.weight << population.fraction)) for p in population.projections
        ]

    def _tensor(self, values: Integers) -> Tensor:
        return torch.tensor(values, dtype=self.dtype, device="cpu")

    def __call__(self, levels: Mapping[str, Tensor]) -> Tensor:
        """Return the currents, shape (T or 1, samples, channels); 1 where all steps are alike.

        `levels` are by source, shape (T or 1, samples, sources).
        """
        (source, weight), *others = self._weights
        fused = len(weight) == 1 and len(self._bias) == 1
        total = self._product(levels[source], weight, self._bias[0, 0] if fused else None)
        for source, weight in others:
            total = total + self._product(levels[source], weight)
        return total if fused else total + self._bias

    def _product(self, levels: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        levels = levels.to(self.dtype)
        if len(weight) == 1:
            return torch.nn.functional.linear(levels, weight[0], bias)
        return torch.matmul(levels, weight.transpose(1, 2))


class Neurons:
    """Spec section 4 from the current onward, for all time steps."""

    def __init__(self, network: Network, population: Population, neuron: Neuron) -> None:
        self.dtype = exact_dtype(neuron_magnitude(network, population))
        self.steps = network.steps
        self._neuron = neuron
        self._theta = torch.tensor(neuron.threshold, dtype=self.dtype, device="cpu")
        self._half = torch.tensor(neuron.half, dtype=self.dtype, device="cpu")
        floor = neuron.fire_floor
        self._floor = None if floor is None else torch.tensor(floor, dtype=torch.float64, device="cpu")

    def __call__(self, currents: Tensor, record: bool) -> tuple[Tensor, Tensor | None]:
        """Return levels and, if asked to record, `v`: both of shape (T, samples, channels)."""
        currents = currents.to(self.dtype).expand(self.steps, *currents.shape[1:])
        levels, membranes = [], []
        v: Tensor | None = None
        fired: Tensor | None = None
        for step, current in enumerate(currents):
            u = self._charge(current, v, fired)
            level, fired = self._fire(u, step)
            levels.append(level)
            if record or step + 1 < self.steps:
                v = self._reset(u, level, fired, step)
                membranes.append(v)
        return _stack(levels), _stack(membranes) if record else None

    def _charge(self, current: Tensor, v: Tensor | None, fired: Tensor | None) -> Tensor:
        """`u`; a sample starts with `v = 0`, None here."""
        u = current if v is None else _scale(self._neuron.leak, v) + current
        if fired is not None and self._neuron.factor is not None:
            u = torch.where(fired, _scale(self._neuron.factor, u), u)
        return self._saturate(u)

    def _row(self, values: Tensor, step: int) -> Tensor:
        return values[step if len(values) > 1 else 0]

    def _fire(self, u: Tensor, step: int) -> tuple[Tensor, Tensor | None]:
        """Levels, and who fired where a later line asks for it."""
        rest = u if self._neuron.rounding == "floor" else u + self._row(self._half, step)
        level = floor_divide(rest, self._row(self._theta, step)).clamp_(0, self._neuron.levels)
        if self._floor is not None:
            fired = u >= self._floor
            return level * fired, fired
        return level, level > 0 if self._neuron.reset in ("zero", "scale") else None

    def _reset(self, u: Tensor, level: Tensor, fired: Tensor | None, step: int) -> Tensor:
        """`v`. It needs no second saturation: where `n > 0`, `-h <= u - nθ < u`, and `h <= θ - h <= u`."""
        if self._neuron.reset == "subtract":
            return u - level * self._row(self._theta, step)
        if self._neuron.reset == "zero" and fired is not None:
            return u.masked_fill(fired, 0)
        return u

    def _saturate(self, v: Tensor) -> Tensor:
        bits = self._neuron.membrane_bits
        if bits is None:
            return v
        return v.clamp(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def _stack(rows: list[Tensor]) -> Tensor:
    return torch.stack(rows) if len(rows) > 1 else rows[0][None]


def _scale(factor: ShiftSum, v: Tensor) -> Tensor:
    """`ShiftSum.apply` on a tensor."""
    if factor.precision == 0:
        return v if factor.numerator == 1 else v * factor.numerator
    return shift_right(v * factor.numerator + (1 << factor.precision >> 1), factor.precision)
