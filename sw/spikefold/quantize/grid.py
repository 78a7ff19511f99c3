"""Bits of every projection of a population, and the real value of a unit of weight that they share."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spikefold.fold.folded import FoldedIdentity, FoldedNeuron, FoldedPopulation, FoldedProjection, Reals
from spikefold.quantize.scales import (
    Method,
    Weights,
    magnitude,
    squared_error,
    weight_scale,
    with_floor,
    with_readout_floor,
)

ONE_BIT_LOSS = 1 / 8
"""Most relative error (rms) of the weights beside one-bit weights: about that of ordinary 4-bit weights."""


@dataclass(frozen=True, eq=False)
class Grid:
    """What the weights of a population are rounded to.

    Attributes
    ----------
    bits
        Of each projection.
    scale
        Real value of a unit of weight, (channels,), above 0; one for all classes of a readout.
    raised
        Whether it is larger than the weights alone need, (channels,); see `scales.with_floor`.
    """

    bits: tuple[int, ...]
    scale: Reals
    raised: np.ndarray


def choose_grid(
    population: FoldedPopulation, bits: int, identity_bits: int, method: Method, levels: Mapping[str, int]
) -> Grid:
    """Choose bits and scales of a population.

    The largest projection of a binary layer takes one bit, without any error, if its weights have one
    magnitude per channel (a readout: in all classes). That is the scale then; other projections of the
    population take one bit if they have that magnitude too, and else are rounded to multiples of it and
    clipped. Binary weights are rounded like all others where that would be worse: where they have several
    magnitudes, which come of sources with several scales; where they vanish in a channel beside others
    that do not; and where the others would lose more than ordinary weights of four bits do.

    Parameters
    ----------
    population
        The population.
    bits, identity_bits
        Of projections that are no identities, and of identities.
    method
        As in `weight_scale`.
    levels
        Largest level by source.
    """
    plain = tuple(identity_bits if isinstance(p, FoldedIdentity) else bits for p in population.projections)
    grid = _one_bit_grid(population, plain, levels)
    if grid is not None:
        return grid
    weights = [(_shared(population, p), b) for p, b in zip(population.projections, plain, strict=True)]
    return _grid(population, plain, weight_scale(weights, method), levels)


def _one_bit_grid(
    population: FoldedPopulation, plain: tuple[int, ...], levels: Mapping[str, int]
) -> Grid | None:
    """The grid on which the largest binary projection has no error, if there is one fit for the others."""
    binary = [_shared(population, p) for p in population.projections if p.binary]
    if not binary:
        return None
    base = max(binary, key=lambda weight: weight.shape[2])
    wanted = magnitude([base])
    if wanted is None:
        return None
    exact = [
        p.binary and magnitude([base, _shared(population, p)]) is not None for p in population.projections
    ]
    bits = tuple(1 if one else b for one, b in zip(exact, plain, strict=True))
    grid = _grid(population, bits, wanted, levels)
    others = [(p.flat, b) for p, b, one in zip(population.projections, bits, exact, strict=True) if not one]
    if any(weight[:, grid.raised].any() for weight, _ in others):
        return None
    return grid if _loss(population, others, grid.scale) <= ONE_BIT_LOSS**2 else None


def _loss(population: FoldedPopulation, rounded: Weights, scale: Reals) -> float:
    """Mean over the channels of the squared error of some of its weights, over the squares of all."""
    if not rounded:
        return 0.0
    squares = sum((p.flat**2).sum(axis=(0, 2)) for p in population.projections)
    errors = squared_error(rounded, scale)
    return float(np.divide(errors, squares, where=squares > 0, out=np.zeros_like(errors)).mean())


def _grid(
    population: FoldedPopulation, bits: tuple[int, ...], wanted: Reals, levels: Mapping[str, int]
) -> Grid:
    """The grid with these bits, and these scales where they are large enough."""
    pairs = zip(population.projections, bits, strict=True)
    one_bit_sum = sum(p.flat.shape[2] * levels[p.source] for p, b in pairs if b == 1)
    wanted = np.broadcast_to(wanted, population.bias.shape)
    scale = sufficient_scale(wanted, population.neuron, population.bias, one_bit_sum)
    return Grid(bits, scale, scale > wanted)


def sufficient_scale(wanted: Reals, neuron: FoldedNeuron | None, bias: Reals, one_bit_sum: int) -> Reals:
    """The scales, raised where bias, thresholds or fire floor ask for it; see `scales.with_floor`.

    Parameters
    ----------
    wanted
        From the weights alone, (channels,).
    neuron
        The neurons; None for a readout.
    bias
        (channels,).
    one_bit_sum
        Largest sum of the one-bit weights of a channel times levels.
    """
    if neuron is None:
        return with_readout_floor(wanted, bias, one_bit_sum)
    offset = np.maximum(abs(bias), abs(neuron.fire_floor or 0.0))
    return with_floor(wanted, neuron.threshold, offset, one_bit_sum)


def _shared(population: FoldedPopulation, projection: FoldedProjection) -> Reals:
    """Weights (sets, scales, weights of one scale): a readout has one scale for all classes."""
    flat = projection.flat
    return flat if population.neuron is not None else flat.reshape(len(flat), 1, -1)
