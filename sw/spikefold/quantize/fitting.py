"""Fit the integers of a population to what it computes on samples, population by population.

Each is asked for the currents of a reference network, whose weights are nearly exact, while it reads what the
integer network before it emits: so it also makes up for what was lost before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from spikefold.fold.folded import FoldedIdentity, FoldedNetwork, FoldedPopulation, FoldedProjection, Reals
from spikefold.golden import Golden, emitted
from spikefold.ir import Network
from spikefold.ir.neuron import Integers
from spikefold.ir.stages import INPUT, Stage
from spikefold.quantize.descent import Gram, descend, error_of, gram_of
from spikefold.quantize.grid import Grid, grid_at
from spikefold.quantize.rounding import largest_weight, round_weight
from spikefold.quantize.scales import Weights, weight_scale
from spikefold.quantize.windows import Levels, choose_positions, windows

FRACTIONS: tuple[float, ...] = tuple(np.geomspace(0.15, 1, 24).tolist())
"""Scales that are tried, as parts of the one that fits the largest weight."""
WORK = 1 << 26
"""Most products of a source with another, for all targets, where every scale is tried."""
SAMPLES = 2048
_VALUES = 1 << 26


def fitting_samples(network: Network) -> int:
    """How many samples populations are fitted to, 16..2048: fewer of a large network."""
    each = network.steps * sum(shape.size for shape in network.maps.values())
    return min(SAMPLES, max(16, _VALUES // each))


@dataclass(frozen=True, eq=False)
class _Synapses:
    """A projection on the samples.

    `seen` and `wanted` are what it reads in the integer network and in the reference, (weight sets, groups,
    rows, sources), and `weight` is (weight sets, groups, targets of a group, sources).
    """

    projection: FoldedProjection
    bits: int
    seen: Tensor
    wanted: Tensor
    weight: Reals

    @property
    def fitted(self) -> bool:
        return not isinstance(self.projection, FoldedIdentity)

    def grams(self) -> list[Gram | None]:
        """For each weight set; about the mean where there is one set, since the bias makes up for that."""
        once = len(self.weight) == 1
        seen = self.seen - self.seen.mean(2, keepdim=True) if once else self.seen
        wanted = self.wanted - self.wanted.mean(2, keepdim=True) if once else self.wanted
        currents = wanted @ self.weight.transpose(2, 3)
        return [gram_of(*part) for part in zip(seen, currents, self.weight, strict=True)]

    def rounded(self, grams: Sequence[Gram | None], scales: Reals) -> Reals:
        """Whole weights in units of `scales` (scales, targets), (scales, *shape of `weight`).

        The nearest ones, or, with a Gram for each weight set, those whose currents err little.
        """
        flat = self.weight.reshape(len(self.weight), -1, self.weight.shape[3])
        nearest = torch.stack([round_weight(flat, self.bits, scale) for scale in scales])
        whole = nearest.reshape(len(scales), *self.weight.shape)
        for k, gram in enumerate(grams):
            if gram is not None:
                by_group = scales.reshape(len(scales), *whole.shape[2:4])
                whole[:, k] = descend(gram, by_group, largest_weight(self.bits))
        return whole

    def error(self, grams: Sequence[Gram | None], whole: Reals, scales: Reals) -> Reals:
        """Mean square error of the currents, (scales, targets)."""
        if self.fitted:
            return error_of(grams, list(whole.transpose(0, 1)), scales)
        off = whole * scales.reshape(len(scales), 1, *whole.shape[2:4], 1) - self.weight
        return (off**2 * (self.seen**2).mean(2)[:, :, None]).sum((1, 4)).flatten(1)

    def missing(self, whole: Reals, scale: Reals) -> Reals:
        """Mean current that whole weights lack, (targets,)."""
        weight = whole * scale.reshape(1, *whole.shape[1:3], 1)
        mean = (self.weight * self.wanted.mean(2)[:, :, None]).sum(3)
        return (mean - (weight * self.seen.mean(2)[:, :, None]).sum(3)).mean(0).flatten()


class Fitter:
    """Fits the populations of a folded network in order; `see` tells it what became of each stage.

    Parameters
    ----------
    folded
        The network.
    reference
        Its integer network with weights of 8 bits.
    levels
        Input levels as `Input.encode` gives them; of these `fitting_samples` are of use.
    """

    def __init__(self, folded: FoldedNetwork, reference: Network, levels: Integers) -> None:
        self._folded, self._reference, self._stages = folded, reference, list[Stage]()
        self._seen: dict[str, Levels] = {INPUT: levels}
        self._wanted: dict[str, Levels] = {INPUT: levels}
        self._wanted |= Golden(reference).run(levels, record=True).levels

    def see(self, stage: Stage) -> None:
        """Take in the next stage of the integer network, so that those after it read what it emits."""
        self._stages.append(stage)
        stages = (*self._stages, *self._reference.stages[len(self._stages) :])
        if stage.name != self._reference.readout.name:
            network = replace(self._reference, stages=stages)
            self._seen[stage.name] = emitted(network, stage.name, self._seen)

    def fit(self, population: FoldedPopulation, grid: Grid) -> tuple[FoldedPopulation, Grid]:
        """The population with whole multiples of the scale for weights, and its grid.

        One-bit weights stay, and so does a population in which no projection can be fitted. The bias takes
        the mean error of the currents.
        """
        if 1 in grid.bits:
            return population, grid
        synapses = self._synapses(population, grid.bits)
        grams = [part.grams() if part.fitted else [] for part in synapses]
        grids = self._grids(population, grid.bits)
        scales = torch.stack([one.scale for one in grids])
        trials = [part.rounded(own, scales) for part, own in zip(synapses, grams, strict=True)]
        parts = zip(synapses, grams, trials, strict=True)
        errors = torch.stack([part.error(own, whole, scales) for part, own, whole in parts]).sum(0)
        if population.neuron is None:
            errors = errors.sum(1, keepdim=True).expand_as(errors)  # a readout has one scale
        best, channels = errors.argmin(0), torch.arange(population.channels)
        scale = scales[best, channels]
        raised = torch.stack([one.raised for one in grids])[best, channels]
        whole = [_chosen(trial, best) for trial in trials]
        missing = [part.missing(w, scale) for part, w in zip(synapses, whole, strict=True)]
        projections = tuple(
            replace(p, weight=_weights(w, scale).reshape(p.weight.shape))
            for p, w in zip(population.projections, whole, strict=True)
        )
        bias = population.bias + torch.stack(missing).sum(0)
        return replace(population, projections=projections, bias=bias), Grid(grid.bits, scale, raised)

    def _synapses(self, population: FoldedPopulation, bits: Sequence[int]) -> list[_Synapses]:
        maps, steps = self._reference.maps, self._folded.steps
        positions = choose_positions(maps[population.name], len(self._seen[INPUT]), steps)
        found = []
        for projection, most in zip(population.projections, bits, strict=True):
            source, sets = projection.source, len(projection.weight)
            seen, wanted = (
                _by_set(windows(projection, levels[source], maps[source], positions), sets)
                for levels in (self._seen, self._wanted)
            )
            weight = projection.flat.reshape(sets, seen.shape[1], -1, seen.shape[3])
            found.append(_Synapses(projection, most, seen, wanted, weight))
        return found

    def _grids(self, population: FoldedPopulation, bits: tuple[int, ...]) -> list[Grid]:
        """The grids to try: one alone where trying all would take too long."""
        whole = population.neuron is None
        weights: Weights = [
            (p.flat.reshape(len(p.weight), 1, -1) if whole else p.flat, most)
            for p, most in zip(population.projections, bits, strict=True)
        ]
        work = sum(p.weight.numel() * p.flat.shape[2] for p in population.projections)
        levels = self._folded.levels
        if work > WORK:
            return [grid_at(population, bits, weight_scale(weights, "mse"), levels)]
        largest = weight_scale(weights, "max")
        return [grid_at(population, bits, largest * fraction, levels) for fraction in FRACTIONS]


def _by_set(seen: Tensor, sets: int) -> Tensor:
    """Windows (presented steps, groups, rows, sources) by weight set; one set reads those of all steps."""
    if sets > 1:
        return seen.expand(sets, *seen.shape[1:])
    return seen.transpose(0, 1).flatten(1, 2)[None]


def _chosen(trials: Reals, best: Tensor) -> Reals:
    """Of whole weights (scales, sets, groups, targets of a group, sources) those of the best scales."""
    by_target = trials.flatten(2, 3)[best, :, torch.arange(len(best))]
    return by_target.transpose(0, 1).reshape(trials.shape[1:])


def _weights(whole: Reals, scale: Reals) -> Reals:
    return whole * scale.reshape(1, *whole.shape[1:3], 1)
