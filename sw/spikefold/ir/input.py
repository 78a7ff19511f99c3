"""How features become levels."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError, ModelError, shown
from spikefold.ir.maps import Pair, as_pair
from spikefold.ir.neuron import Integers, as_integer


def as_samples(x: object, what: str = "Samples") -> NDArray[np.generic]:
    """Return an array of what a caller gave as samples: an array, nested lists of one shape, or a tensor.

    Raises
    ------
    InputError
        If it is anything else; what foreign objects raise as they turn into arrays comes as such an error.
    """
    try:
        array = np.asarray(x.detach().cpu() if hasattr(x, "detach") else x)
    except Exception as error:
        raise InputError(
            f"{what} must be an array of numbers of one shape, not {shown(x)}: {error}"
        ) from None
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


@dataclass(frozen=True, eq=False)
class Input:
    """How features become levels (docs/numerics.md, "Fold", 4).

    Parameters
    ----------
    shape
        Shape of one sample's features at one time step.
    levels
        `D_in`, 1..255.
    static
        True: one array of levels a sample, seen again at every time step. False: one array a step.
    minimum, maximum
        The features that become level 0 and level `D_in`.
    padding
        (rows, columns) that are put around every side of a map of shape (channels, height, width).
    pad_levels
        The level there, one per channel: that of the features' mean, where a zero is not level 0.
    """

    shape: tuple[int, ...]
    levels: int
    static: bool = True
    minimum: float = 0.0
    maximum: float = 1.0
    padding: Pair = (0, 0)
    pad_levels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.shape or any(not isinstance(n, int) or n < 1 for n in self.shape):
            raise ModelError(f"Input shape must be positive integers, not {self.shape!r}")
        object.__setattr__(self, "levels", as_integer("Input levels", self.levels, 1, 255))
        if not (math.isfinite(self.maximum - self.minimum) and self.minimum < self.maximum):
            raise ModelError(
                f"Input range must be finite and increasing, not {self.minimum!r}..{self.maximum!r}"
            )
        object.__setattr__(self, "padding", as_pair("Input padding", self.padding, 0))
        self._check_padding()

    def _check_padding(self) -> None:
        if self.padding == (0, 0):
            return
        if len(self.shape) != 3:
            raise ModelError(f"Padded input must have shape (channels, height, width), not {self.shape}")
        if len(self.pad_levels) != self.shape[0]:
            raise ModelError(
                f"Pad levels must be one per channel ({self.shape[0]}), not {len(self.pad_levels)}"
            )
        levels = tuple(as_integer("Pad level", level, 0, self.levels) for level in self.pad_levels)
        object.__setattr__(self, "pad_levels", levels)

    @property
    def levels_shape(self) -> tuple[int, ...]:
        """Shape of one sample's levels at one time step: the features with their padding."""
        if self.padding == (0, 0):
            return self.shape
        channels, height, width = self.shape
        return (channels, height + 2 * self.padding[0], width + 2 * self.padding[1])

    @property
    def size(self) -> int:
        """Levels of one sample at one time step."""
        return math.prod(self.levels_shape)

    def sample_shape(self, steps: int) -> tuple[int, ...]:
        """Shape of one sample as a user hands it in."""
        return self.shape if self.static else (steps, *self.shape)

    def encode(self, x: NDArray[np.generic], steps: int) -> Integers:
        """Turn samples into levels, shape (samples, presented steps, *levels_shape).

        Floating-point features are scaled and rounded half up; integers are taken as levels
        already. Presented steps are 1 for a static input, else `steps`. Padding is added here.

        Raises
        ------
        InputError
            If shape, dtype or range do not fit.
        """
        x = as_samples(x)
        expected = self.sample_shape(steps)
        if x.shape[1:] != expected or x.ndim != len(expected) + 1:
            raise InputError(
                f"Samples must have shape (samples, {', '.join(map(str, expected))}), not {x.shape}"
            )
        if x.dtype.kind == "f":
            x = self._quantize(x)
        elif x.dtype.kind not in "iu":
            raise InputError(f"Samples must be floating-point features or integer levels, not {x.dtype}")
        elif x.size and not (x.min() >= 0 and x.max() <= self.levels):
            raise InputError(
                f"Integer samples must be levels 0..{self.levels}, not {x.min()}..{x.max()}; "
                "pass floating-point features to have them encoded"
            )
        levels = x.astype(np.int64).reshape(len(x), 1 if self.static else steps, *self.shape)
        return levels if self.padding == (0, 0) else self._padded(levels)

    def _padded(self, levels: Integers) -> Integers:
        rows, columns = self.padding
        result = np.empty((*levels.shape[:2], *self.levels_shape), np.int64)
        result[:] = np.reshape(self.pad_levels, (-1, 1, 1))
        result[..., rows : rows + self.shape[1], columns : columns + self.shape[2]] = levels
        return result

    def _quantize(self, x: NDArray[np.generic]) -> NDArray[np.float64]:
        if not np.isfinite(x).all():
            raise InputError("Samples must be finite, but hold NaN or infinity")
        with np.errstate(over="ignore"):  # far outside the range is at its end
            scaled = (x.astype(np.float64) - self.minimum) * self.levels / (self.maximum - self.minimum)
        return np.clip(np.floor(scaled + 0.5), 0, self.levels)
