"""Bias, thresholds and fire floor of a population in whole units of its membrane."""

from dataclasses import dataclass

import torch

from spikefold.fold.folded import FoldedPopulation, Reals
from spikefold.quantize.rounding import round_threshold


@dataclass(frozen=True, eq=False)
class Units:
    """What a population counts in.

    Attributes
    ----------
    fraction
        `F`: a unit of weight is `2^F` units of membrane; 0 of a readout.
    unit
        Real value of a unit of membrane, or of a readout's current, (channels,).
    exact_bias
        The bias in these units before it is rounded, (channels,).
    threshold, fire_floor
        Whole numbers of these units, (T or 1, channels) and (channels,); None of a readout, or without a fire
        floor.
    """

    fraction: int
    unit: Reals
    exact_bias: Reals
    threshold: Reals | None = None
    fire_floor: Reals | None = None

    @property
    def bias(self) -> Reals:
        """A whole number of units, (channels,)."""
        return torch.round(self.exact_bias)


def count_units(folded: FoldedPopulation, scale: Reals, fraction: int) -> Units:
    """Round the parameters of a population whose unit of weight is `scale`, (channels,).

    `fraction` is from `choose_fractions`, or that of hardware that exists already. The readout has no
    threshold to resolve and takes F = 0. Its bias is then wrong by at most half a weight step, where the
    rounded weights of a class are wrong by several.
    """
    neuron = folded.neuron
    if neuron is None:
        return Units(0, scale, folded.bias / scale)
    unit = scale / (1 << fraction)
    floor = None if neuron.fire_floor is None else torch.round(neuron.fire_floor / unit)
    return Units(fraction, unit, folded.bias / unit, round_threshold(neuron.threshold, unit), floor)
