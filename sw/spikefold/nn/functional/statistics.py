"""Initial scales from the membranes of a batch."""

import math

import torch
from torch import Tensor

FLOOR = 1e-3  # of a scale: a channel that never moves would get 0


def three_sigma(u: Tensor, levels: int, floor: float = FLOOR, per_channel: bool = True) -> Tensor:
    """Return the initial scale from a batch of membranes (PIT Eq. 12), shape [C], or [1] for all channels.

    ``max(|mean - 3 sigma|, |mean + 3 sigma|) / sqrt(D)``, at least ``floor``, with the statistics of channel
    axis 1 of ``u`` ([B, C, ...]) over all other axes, or over all axes. Sigma is the population's (divided by
    the count).
    """
    mean, sigma = _moments(u, per_channel)
    bound = torch.maximum((mean - 3 * sigma).abs(), (mean + 3 * sigma).abs())
    return (bound / math.sqrt(levels)).clamp_min(floor)


def min_max(u: Tensor, levels: int, floor: float = FLOOR, per_channel: bool = True) -> Tensor:
    """Return ``max |u| / D``, at least ``floor``, over the axes of ``three_sigma``; shape [C] or [1].

    The rule PIT compares its Eq. 12 with (its Fig. 2b).
    """
    return (u.abs().amax(_axes(u, per_channel)).reshape(-1) / levels).clamp_min(floor)


def upper_three_sigma(u: Tensor, levels: int, floor: float = FLOOR) -> Tensor:
    """Return ``(mean + 3 sigma) / D``, at least ``floor``, over all axes of ``u``; shape [1].

    Levels ``0..D`` of that step span what a rectified membrane takes, but for its upper tail.
    """
    mean, sigma = _moments(u, per_channel=False)
    return ((mean + 3 * sigma) / levels).clamp_min(floor)


def _moments(u: Tensor, per_channel: bool) -> tuple[Tensor, Tensor]:
    sigma, mean = torch.std_mean(u, dim=_axes(u, per_channel), correction=0)
    return mean.reshape(-1), sigma.reshape(-1)


def _axes(u: Tensor, per_channel: bool) -> list[int]:
    return [axis for axis in range(u.dim()) if axis != 1 or not per_channel]
