"""Leaks: one number for all channels of a population, or one for each of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spikefold.errors import ModelError
from spikefold.nn import checks

PerChannel = float | tuple[float, ...]
"""A number that all channels share, or one of each channel where they differ."""
Leak = float | Sequence[float] | Tensor | NDArray[np.floating]
"""What neurons take as their leak."""


def leak_of(name: str, value: Leak, channels: int, low: float = 0.0) -> PerChannel:
    """Accept a leak of `low`..1, or one for each channel; of channels that agree the one number.

    Raises
    ------
    ModelError
        If a number is out of range, or there are not as many as channels; `name` is the neuron's class.
    """
    found = value.tolist() if isinstance(value, Tensor | np.ndarray) else value
    if not isinstance(found, list | tuple):
        return checks.number(f"{name} leak", found, low, 1)
    if len(found) != channels:
        raise ModelError(
            f"{name} leak must be one number or one for each of {channels} channels, not {len(found)}"
        )
    each = tuple(checks.number(f"{name} leak of channel {k}", one, low, 1) for k, one in enumerate(found))
    return each if len(set(each)) > 1 else each[0]


def complement(value: PerChannel) -> PerChannel:
    """One minus each."""
    return tuple(1 - one for one in value) if isinstance(value, tuple) else 1 - value


def spread(value: PerChannel, like: Tensor) -> float | Tensor:
    """Shape numbers per channel to broadcast over a time step `like` [B, C, ...], in its type."""
    if isinstance(value, float | int):
        return value
    return like.new_tensor(value).reshape(-1, *(1,) * (like.dim() - 2))


def leak_text(value: PerChannel) -> str:
    """A leak in a printed form: of channels that differ the smallest and the largest."""
    return f"{min(value):g}..{max(value):g}" if isinstance(value, tuple) else f"{value:g}"
