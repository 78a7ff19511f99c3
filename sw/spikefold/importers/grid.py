"""The input grid: what levels the hardware sees of real samples. Asked for or measured, never assumed."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikefold.errors import InputError
from spikefold.ir.input import as_samples
from spikefold.nn import Input

MOST_LEVELS = 255
_LOOKED_AT = 4096  # samples that a grid is found of
_ON_GRID = 1e-4  # of a level: how far off samples may lie, as float32 or a few decimals
Normal = float | tuple[float, ...] | None


@dataclass(frozen=True)
class Grid:
    """What `nn.Input` needs.

    Attributes
    ----------
    shape
        Of one sample at one time step.
    levels
        `D_in`, the largest level.
    minimum, maximum
        Raw values of level 0 and level `levels`.
    steps
        T.
    static
        Whether a sample is seen again at every step, or brings one array a step.
    mean, std
        Normalisation `(x - mean) / std` before the network, a number or one per channel.
    """

    shape: tuple[int, ...]
    levels: int
    minimum: float
    maximum: float
    steps: int
    static: bool = True
    mean: Normal = None
    std: Normal = None

    @classmethod
    def of(
        cls,
        calibration: object,
        steps: int,
        levels: int | None = None,
        *,
        static: bool = True,
        minimum: float | None = None,
        maximum: float | None = None,
        mean: Normal = None,
        std: Normal = None,
    ) -> "Grid":
        """The grid of calibration samples, [N, *shape], or [N, T, *shape] if not static.

        The range is that of the samples unless given. Without `levels` the samples (4096 of them, evenly
        spread, if there are more) must lie on one grid of at most 255 steps, which is then found.

        Raises
        ------
        InputError
            If the samples are no finite numbers, all alike, or lie on no such grid.
        """
        x = _finite(calibration)
        shape = x.shape[1:] if static else x.shape[2:]
        if not shape or not len(x) or (not static and x.shape[1] != steps):
            wanted = "[samples, ...]" if static else f"[samples, {steps} steps, ...]"
            raise InputError(f"Calibration samples must have shape {wanted}, not {list(x.shape)}")
        low = float(x.min()) if minimum is None else minimum
        high = float(x.max()) if maximum is None else maximum
        if not low < high:
            raise InputError(f"Range of the input must be increasing, not {low!r}..{high!r}")
        if levels is None:
            levels = _found_levels(x[:: -(-len(x) // _LOOKED_AT)], low, high)
        return cls(tuple(shape), levels, low, high, steps, static, mean, std)

    def layer(self) -> Input:
        """The input layer; raises ModelError if a parameter is out of range."""
        mean, std = self.mean, self.std
        return Input(self.shape, self.levels, self.minimum, self.maximum, mean, std, self.steps, self.static)

    def samples(self, x: object) -> Tensor:
        """Samples [N, *shape] or [N, T, *shape] as `nn.Input` takes them: [N, *shape] or [T, N, *shape].

        Raises InputError if they are no finite numbers of that shape.
        """
        array = _finite(x)
        expected = self.shape if self.static else (self.steps, *self.shape)
        if array.shape[1:] != expected or not len(array):
            raise InputError(f"Samples must have shape {['samples', *expected]}, not {list(array.shape)}")
        tensor = torch.from_numpy(array)
        return tensor if self.static else tensor.transpose(0, 1)

    def random(self, count: int, seed: int = 0) -> NDArray[np.float64]:
        """Seeded samples on the grid, raw values, all levels alike."""
        shape = (count, *self.shape) if self.static else (count, self.steps, *self.shape)
        levels = np.random.default_rng(seed).integers(0, self.levels + 1, shape).astype(np.float64)
        return self.minimum + levels * ((self.maximum - self.minimum) / self.levels)

    def real(self, x: Tensor) -> Tensor:
        """What the source's network would see of raw samples as `samples` gives them: [T, N, *shape].

        Normalised, but not rounded to the grid.
        """
        layer = self.layer()
        raw = x.to(torch.float64)
        value = (raw - self.minimum) * (
            layer.scale * self.levels / (self.maximum - self.minimum)
        ) + layer.shift
        return value.expand(self.steps, *value.shape) if self.static else value

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def spread(samples: object, count: int) -> Any:
    """So many of the samples, evenly spread; all if there are fewer."""
    array = (
        samples if hasattr(samples, "__getitem__") and hasattr(samples, "__len__") else np.asarray(samples)
    )
    count = min(count, len(array))
    return array[np.arange(count) * len(array) // max(1, count)]


def _finite(x: object) -> NDArray[np.float64]:
    array = as_samples(x, "Calibration samples")
    if array.dtype.kind not in "iufb":
        raise InputError(f"Samples must be numbers, not {array.dtype}")
    numbers: NDArray[np.float64] = np.ascontiguousarray(array.astype(np.float64))
    if not np.isfinite(numbers).all():
        raise InputError("Samples must be finite, but hold NaN or infinity; clean the data first")
    return numbers


def _found_levels(x: NDArray[np.float64], low: float, high: float) -> int:
    """The coarsest grid from `low` to `high` that all samples lie on."""
    values = (np.unique(x.clip(low, high)) - low) / (high - low)
    if len(values) <= MOST_LEVELS + 1:
        for levels in range(1, MOST_LEVELS + 1):
            scaled = values * levels
            if (abs(scaled - np.round(scaled)) <= _ON_GRID).all():
                return levels
    raise InputError(
        f"Number of input levels must be given, as the calibration samples ({len(values)} different values "
        f"from {low:g} to {high:g}) lie on no grid of at most {MOST_LEVELS} steps; "
        "give levels (D_in); the comparison tells what rounding the input to them changes"
    )
