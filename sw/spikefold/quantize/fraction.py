"""`F`, the places after the binary point of a membrane: as many as the rounding of weights leaves of use."""

from collections.abc import Mapping

import torch

from spikefold.fold.folded import FoldedNetwork, FoldedPopulation, Reals
from spikefold.ir.neuron import MAX_FRACTION
from spikefold.quantize.grid import Grid

LEAST_THRESHOLD = 32
SHARE = 1 / 64
"""Most that the roundings in a membrane may add to the squared error which rounded weights make."""
ALLOWED = 1 / 128
"""Roundings in a membrane whose error (rms) is below this part of a threshold do not matter."""
ACTIVE = 1 / 4
"""Share of the sources that emit at a time, each level as often as every other."""
_ROUNDED = 1 / 12
"""Mean square error of a number that is rounded to a whole one."""


def choose_fractions(folded: FoldedNetwork, grids: Mapping[str, Grid], capped: bool) -> dict[str, int]:
    """`F` of every population by name; 0 of a readout, which has no threshold to resolve.

    Parameters
    ----------
    grids
        From `choose_grids`.
    capped
        Whether membranes saturate at a given width: finer units would then cost range, so that `F` is what
        the thresholds need and no more.
    """
    return {p.name: choose_fraction(folded, p, grids[p.name], capped) for p in folded.populations}


def choose_fraction(folded: FoldedNetwork, population: FoldedPopulation, grid: Grid, capped: bool) -> int:
    """`F` of one population of a network; parameters as in `choose_fractions`."""
    if population.neuron is None:
        return 0
    finer = 0 if capped else _for_roundings(population, grid, folded.levels, folded.steps)
    return max(for_thresholds(population.neuron.threshold / grid.scale), finer)


def for_thresholds(thresholds: Reals) -> int:
    """The smallest `F` 0..8 that makes every threshold, given in units of weight, at least 32."""
    powers = 2.0 ** torch.arange(MAX_FRACTION, device=thresholds.device)
    too_small = torch.round(thresholds.min() * powers) < LEAST_THRESHOLD
    return int(too_small.sum())


def _for_roundings(population: FoldedPopulation, grid: Grid, levels: Mapping[str, int], steps: int) -> int:
    """The smallest `F` 0..8 with which bias, leak, reset factor and thresholds are not what errs most.

    Compares mean squares in units of weight: each rounding in the membrane errs by 4^-F / 12; a rounded
    weight by 1 / 12 for every level that comes in.
    """
    neuron = population.neuron
    assert neuron is not None
    decays = steps > 1 and any(leak not in (0.0, 1.0) for leak in neuron.leaks)
    resets = neuron.factor not in (None, 0.0, 1.0) if steps > 1 else False
    roundings = _ROUNDED * (1 + decays + resets + ACTIVE * _mean_square(neuron.levels))
    weights = sum(
        _ROUNDED * ACTIVE * projection.flat.shape[2] * _mean_square(levels[projection.source])
        for projection, bits in zip(population.projections, grid.bits, strict=True)
        if bits > 1
    )
    smallest = float((neuron.threshold / grid.scale).min())
    allowed = max(SHARE * weights, (ALLOWED * smallest) ** 2)
    return next((f for f in range(MAX_FRACTION) if roundings <= allowed * 4.0**f), MAX_FRACTION)


def _mean_square(levels: int) -> float:
    """Of the levels 1..`levels`."""
    return (levels + 1) * (2 * levels + 1) / 6
