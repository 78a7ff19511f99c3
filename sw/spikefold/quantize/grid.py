"""Bits of every projection of a population, and the real value of a unit of weight that they share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from spikefold.errors import InputError
from spikefold.fold.folded import FoldedIdentity, FoldedNetwork, FoldedPopulation, FoldedProjection, Reals
from spikefold.quantize.scales import (
    Method,
    Weights,
    magnitude,
    squared_error,
    weight_scale,
    with_floor,
    with_readout_floor,
)

DEFAULT_BITS = 4
IDENTITY_BITS = 8
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
    raised: Tensor


def choose_grids(
    folded: FoldedNetwork, weight_bits: int | Mapping[str, int], identity_bits: int, method: Method
) -> dict[str, Grid]:
    """Choose bits and scales of all populations; parameters and errors as in `quantize`."""
    if method not in get_args(Method):
        raise InputError(f"Quantization method must be 'max' or 'mse', not {method!r}")
    _check_bits("Identity bits", identity_bits)
    bits, levels = _bits_by_name(folded, weight_bits), folded.levels
    return {
        stage.name: choose_grid(stage, bits[stage.name], identity_bits, method, levels)
        for stage in folded.populations
    }


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
    return grid_at(population, plain, weight_scale(weights, method), levels)


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
    grid = grid_at(population, bits, wanted, levels)
    others = [(p.flat, b) for p, b, one in zip(population.projections, bits, exact, strict=True) if not one]
    if any(bool(weight[:, grid.raised].any()) for weight, _ in others):
        return None
    return grid if _loss(population, others, grid.scale) <= ONE_BIT_LOSS**2 else None


def _loss(population: FoldedPopulation, rounded: Weights, scale: Reals) -> float:
    """Mean over the channels of the squared error of some of its weights, over the squares of all."""
    if not rounded:
        return 0.0
    squares = torch.stack([(p.flat**2).sum((0, 2)) for p in population.projections]).sum(0)
    shares = squared_error(rounded, scale) / squares
    return float(torch.where(squares > 0, shares, 0.0).mean())


def grid_at(
    population: FoldedPopulation, bits: tuple[int, ...], wanted: Reals, levels: Mapping[str, int]
) -> Grid:
    """The grid with these bits, and these scales, raised where bias, thresholds or fire floor ask for it."""
    pairs = zip(population.projections, bits, strict=True)
    one_bit_sum = sum(p.flat.shape[2] * levels[p.source] for p, b in pairs if b == 1)
    neuron, bias = population.neuron, population.bias
    wanted = wanted.expand_as(bias)
    if neuron is None:
        scale = with_readout_floor(wanted, bias, one_bit_sum)
    else:
        offset = bias.abs().clamp(min=abs(neuron.fire_floor or 0.0))
        scale = with_floor(wanted, neuron.threshold, offset, one_bit_sum)
    return Grid(bits, scale, scale > wanted)


def _shared(population: FoldedPopulation, projection: FoldedProjection) -> Reals:
    """Weights (sets, scales, weights of one scale): a readout has one scale for all classes."""
    flat = projection.flat
    return flat if population.neuron is not None else flat.reshape(len(flat), 1, -1)


def _bits_by_name(folded: FoldedNetwork, weight_bits: int | Mapping[str, int]) -> dict[str, int]:
    names = [population.name for population in folded.populations]
    if not isinstance(weight_bits, Mapping):
        weight_bits = dict.fromkeys(names, weight_bits)
    for name, bits in weight_bits.items():
        if name not in names:
            raise InputError(f"Weight bits must name one of {', '.join(names)}, not {name!r}")
        _check_bits(f"Weight bits of {name!r}", bits)
    return {name: weight_bits.get(name, DEFAULT_BITS) for name in names}


def _check_bits(subject: str, bits: object) -> None:
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 8:
        raise InputError(f"{subject} must be 1..8, not {bits!r}")
