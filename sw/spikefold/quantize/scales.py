"""The real value of one unit of weight, per target channel."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from spikefold.fold.folded import Reals
from spikefold.quantize.rounding import largest_weight, round_weight

Method = Literal["max", "mse"]
Weights = Sequence[tuple[Reals, int]]
"""Pairs of `W~` (sets, targets, weights of a target) and bits: the projections of one population."""

CANDIDATES: tuple[float, ...] = tuple(np.geomspace(0.15, 1, 48).tolist())
RATIO_TO_MEDIAN = 16.0
MEDIANS = (64.0, 4096.0)
_EQUAL = 1e-6
_VALUES = 1 << 18
"""Weights that are tried with as many scales at once as fit a cache."""


def weight_scale(weights: Weights, method: Method) -> Reals:
    """Scale per target, shared by all projections and weight sets; 0 where all weights are 0.

    "max" makes the largest weight the largest integer. "mse" tries fractions of that and takes, per
    target, the least squared error. For one bit the mean of |W~| is that least already.
    """
    largest = torch.stack([_one_scale(weight, bits) for weight, bits in weights]).amax(0)
    if method == "max" or all(bits == 1 for _, bits in weights):
        return largest
    scales = largest * largest.new_tensor(CANDIDATES)[:, None]
    at_once = max(1, _VALUES // max(weight.numel() for weight, _ in weights))
    errors = torch.cat([squared_error(weights, some) for some in scales.split(at_once)])
    return scales.gather(0, errors.argmin(0, keepdim=True))[0]


def _one_scale(weight: Reals, bits: int) -> Reals:
    size = weight.abs()
    return size.mean((0, 2)) if bits == 1 else size.amax((0, 2)) / largest_weight(bits)


def squared_error(weights: Weights, scales: Reals) -> Reals:
    """Sum of the squared errors of weights rounded to units of `scales`, both (.., targets)."""
    safe = torch.where(scales > 0, scales, 1.0)[..., None, :, None]
    errors = [(_nearest(w, bits, safe) * safe - w).square_().sum((-3, -1)) for w, bits in weights]
    return torch.stack(errors).sum(0)


def _nearest(weight: Reals, bits: int, scales: Reals) -> Reals:
    """Whole weights (.., sets, targets, weights of a target) in units of `scales` (.., 1, targets, 1)."""
    if bits == 1:
        return round_weight(weight, bits, scales)  # whatever the scale is
    largest = largest_weight(bits)
    return (weight / scales).round_().clamp_(-largest, largest)


def with_floor(scale: Reals, threshold: Reals, offset: Reals, one_bit_sum: int = 0) -> Reals:
    """Raise the scales of channels whose weights vanish beside their threshold or bias.

    A dead channel would otherwise set the width of the whole population: its a/s and b/s grow without
    bound as its weights shrink. Neither may be more than 16 times the median a/s of the population,
    which is itself taken as 64..4096. Rounding such a channel's weights then costs at most a 16th of
    what it costs a typical channel, measured against the threshold.

    One-bit weights do not round to 0 where `s` is raised, but grow. So `s` is not raised further than to
    where all of a channel's one-bit weights together, at the highest levels, are a 16th of its smallest
    threshold, or 2^-16 of its bias; that threshold is then 4 bits wider than the sum of the weights.

    Parameters
    ----------
    scale
        From `weight_scale`, (channels,).
    threshold
        `a`, (T or 1, channels).
    offset
        The larger of the real bias and the fire floor, (channels,).
    one_bit_sum
        Largest sum of the one-bit weights of a channel, in units of weight.
    """
    largest = threshold.amax(0)
    live = scale > 0
    limit = RATIO_TO_MEDIAN * _median(largest[live] / scale[live]).clamp(*MEDIANS)
    floor = torch.maximum(largest, offset.abs()) / limit
    if one_bit_sum:
        small = torch.maximum(threshold.amin(0), offset.abs() / MEDIANS[1])
        floor = torch.minimum(floor, small / (RATIO_TO_MEDIAN * one_bit_sum))
    return torch.maximum(scale, floor)


def _median(values: Reals) -> Reals:
    """The median, of an even number the mean of the two in the middle; the least of `MEDIANS` of none."""
    if not len(values):
        return values.new_tensor(MEDIANS[0])
    ordered = values.sort().values
    return (ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2


def magnitude(weights: Sequence[Reals]) -> Reals | None:
    """The magnitude that all weights of a target have, (targets,), up to 1e-6; None if they have several."""
    sizes = torch.cat([w.abs().transpose(0, 1).flatten(1) for w in weights], 1)
    largest = sizes.amax(1)
    return largest if bool((sizes >= largest[:, None] * (1 - _EQUAL)).all()) else None


def with_readout_floor(scale: Reals, bias: Reals, one_bit_sum: int = 0) -> Reals:
    """Raise the one scale of all classes, (channels,), to 2^-16 of the largest bias; 1 where all is 0.

    With one-bit weights their largest sum stays within that part of the bias, as in `with_floor`.
    """
    floor = bias.abs().max() / (RATIO_TO_MEDIAN * MEDIANS[1] * max(one_bit_sum, 1))
    scale = torch.maximum(scale, floor)
    return torch.where(scale > 0, scale, 1.0)
