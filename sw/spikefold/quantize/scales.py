"""The real value of one unit of weight, per target channel, and rounding to it."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from spikefold.fold.folded import Reals
from spikefold.ir.neuron import Integers

Method = Literal["max", "mse"]
Weights = Sequence[tuple[Reals, int]]
"""Pairs of `W~` (sets, targets, weights of a target) and bits: the projections of one population."""

CANDIDATES = np.geomspace(0.15, 1, 48)
RATIO_TO_MEDIAN = 16.0
MEDIANS = (64.0, 4096.0)
_EQUAL = 1e-6


def largest_weight(bits: int) -> int:
    """Largest integer of the symmetric quantizer."""
    return 1 if bits == 1 else (1 << (bits - 1)) - 1


def round_weight(weight: Reals, bits: int, scale: Reals) -> Integers:
    """Round `W~` (sets, targets, ...) to the nearest unit of `scale` (targets,), clipped symmetrically.

    One bit keeps the sign; zeros, which one bit cannot hold, take turns so that they cancel on average.
    """
    if bits == 1:
        turns = 1 - 2 * (np.indices(weight.shape).sum(axis=0) & 1)
        return np.where(weight == 0, turns, np.sign(weight)).astype(np.int64)
    largest = largest_weight(bits)
    per_target = scale.reshape(-1, *(1,) * (weight.ndim - 2))
    return np.clip(np.rint(weight / per_target), -largest, largest).astype(np.int64)


def weight_scale(weights: Weights, method: Method) -> Reals:
    """Scale per target, shared by all projections and weight sets; 0 where all weights are 0.

    "max" makes the largest weight the largest integer. "mse" tries fractions of that and takes, per
    target, the least squared error. For one bit the mean of |W~| is that least already.
    """
    largest = np.max([_one_scale(weight, bits) for weight, bits in weights], axis=0)
    if method == "max" or all(bits == 1 for _, bits in weights):
        return largest
    errors = np.stack([squared_error(weights, largest * fraction) for fraction in CANDIDATES])
    return largest * CANDIDATES[errors.argmin(axis=0)]


def _one_scale(weight: Reals, bits: int) -> Reals:
    if bits == 1:
        return abs(weight).mean(axis=(0, 2))
    return abs(weight).max(axis=(0, 2)) / largest_weight(bits)


def squared_error(weights: Weights, scale: Reals) -> Reals:
    """Sum of the squared errors of weights rounded to units of `scale`, (targets,)."""
    safe = np.where(scale > 0, scale, 1.0)
    errors = [(round_weight(w, bits, safe) * safe[:, None] - w) ** 2 for w, bits in weights]
    return np.sum([error.sum(axis=(0, 2)) for error in errors], axis=0)


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
    largest = threshold.max(axis=0)
    live = scale > 0
    with np.errstate(over="ignore"):
        typical = np.median(largest[live] / scale[live]) if live.any() else MEDIANS[0]
    limit = RATIO_TO_MEDIAN * np.clip(typical, *MEDIANS)
    floor = np.maximum(largest, abs(offset)) / limit
    if one_bit_sum:
        small = np.maximum(threshold.min(axis=0), abs(offset) / MEDIANS[1])
        floor = np.minimum(floor, small / (RATIO_TO_MEDIAN * one_bit_sum))
    return np.maximum(scale, floor)


def magnitude(weights: Sequence[Reals]) -> Reals | None:
    """The magnitude that all weights of a target have, (targets,), up to 1e-6; None if they have several."""
    sizes = np.concatenate([abs(w).transpose(1, 0, 2).reshape(w.shape[1], -1) for w in weights], axis=1)
    largest = sizes.max(axis=1)
    return largest if (sizes >= largest[:, None] * (1 - _EQUAL)).all() else None


def with_readout_floor(scale: Reals, bias: Reals, one_bit_sum: int = 0) -> Reals:
    """Raise the one scale of all classes, (channels,), to 2^-16 of the largest bias; 1 where all is 0.

    With one-bit weights their largest sum stays within that part of the bias, as in `with_floor`.
    """
    floor = abs(bias).max() / (RATIO_TO_MEDIAN * MEDIANS[1] * max(one_bit_sum, 1))
    scale = np.maximum(scale, floor)
    return np.where(scale > 0, scale, 1.0)
