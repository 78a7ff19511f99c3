"""Scales of activations from what they are on calibration samples."""

import torch
from torch import Tensor

_CANDIDATES = torch.linspace(0.1, 1.0, 46)  # of the scale with which nothing saturates


def best_scales(values: Tensor, levels: int) -> tuple[Tensor, float]:
    """The scale of each channel whose levels 0..`levels` come nearest to the values in the mean square.

    Parameters
    ----------
    values
        [channels, N], none below 0.
    levels
        D.

    Returns
    -------
    Scales [channels] above 0, and the error that is left: root mean square, relative to that of all values. A
    channel that is never active gets the largest scale of the others, 1 if there are none.
    """
    whole = values.amax(1) / levels
    tried = whole * _CANDIDATES.to(values)[:, None]
    errors = torch.stack([_squared(values, scales, levels) for scales in tried])
    least = errors.min(0)
    scales = tried.gather(0, least.indices[None])[0]
    power = float(values.square().sum())
    dead = scales == 0
    scales[dead] = float(scales.max()) or 1.0
    return scales, (float(least.values[~dead].sum()) / power) ** 0.5 if power else 0.0


def _squared(values: Tensor, scales: Tensor, levels: int) -> Tensor:
    """The squared error of each channel."""
    column = scales[:, None].clamp(min=torch.finfo(values.dtype).tiny)
    rounded = torch.floor(values / column + 0.5).clamp(max=levels) * column
    return (values - rounded).square().sum(1)
