"""Membranes before firing: rebuilt from what a neuron read and emitted; histograms per time step."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikefold.nn import SpikingNeuron
from spikefold.nn.neurons.leak import spread

BINS = 64
_MOST_FOR_RANGE = 1 << 17
_OUTSIDE, _MARGIN = 0.001, 0.05


def membranes(neuron: SpikingNeuron, current: Tensor, levels: Tensor) -> Iterator[Tensor]:
    """Yield the membrane ``u`` [B, C, ...] before firing of every time step, in membrane units.

    ``current`` [T, B, C, ...] is what the neuron read, ``levels`` of the same shape what it emitted. The
    update rule is the published one (docs/numerics.md), evaluated apart from the neuron's own code.
    """
    v = torch.zeros_like(current[0])
    fired = torch.zeros_like(v, dtype=torch.bool)
    for t, n in enumerate(levels):
        u = spread(neuron.leak, v) * v + spread(neuron.input_gain, v) * current[t]
        if neuron.factor is not None:
            u = torch.where(fired, neuron.factor * u, u)
        yield u
        fired = n > 0 if neuron.fire_floor is None else u >= neuron.fire_floor
        v = u
        if neuron.reset_mode == "subtract":
            v = u - n * per_channel(neuron.threshold[t], u)
        elif neuron.reset_mode == "zero":
            v = u.masked_fill(fired, 0.0)


def per_channel(values: Tensor, like: Tensor) -> Tensor:
    """Shape values per channel, [C], to broadcast over ``like`` [B, C, ...]."""
    return values.detach().reshape(-1, *(1,) * (like.dim() - 2))


@dataclass(frozen=True, eq=False)
class MembraneStatistics:
    """Distribution of ``u`` over the threshold at each time step.

    Attributes
    ----------
    edges
        Borders of the bins in levels, [bins + 1].
    counts
        Membranes in each bin, [T, bins].
    below, above
        Membranes left and right of the bins, [T].
    mean, deviation
        Of all membranes, in levels, [T].
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    below: NDArray[np.int64]
    above: NDArray[np.int64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @property
    def centres(self) -> NDArray[np.float64]:
        """Middle of each bin."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    @property
    def density(self) -> NDArray[np.float64]:
        """Probability per level, [T, bins]."""
        total = self.counts.sum(axis=1) + self.below + self.above
        density: NDArray[np.float64] = self.counts / total[:, None] / np.diff(self.edges)
        return density

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {name: getattr(self, name).tolist() for name in self.__dataclass_fields__}


class MembraneRecorder:
    """Collects the membranes of one layer, batch by batch; the first batch settles the bins."""

    def __init__(self, steps: int) -> None:
        self._edges: Tensor | None = None
        self._counts = np.zeros((steps, BINS), np.int64)
        self._below, self._above = np.zeros(steps, np.int64), np.zeros(steps, np.int64)
        self._total, self._sum, self._squares = (np.zeros(steps) for _ in range(3))

    def update(self, neuron: SpikingNeuron, current: Tensor, levels: Tensor) -> None:
        """Take in what the neuron read and emitted in a batch."""
        steps = [
            (u / per_channel(neuron.threshold[t], u)).flatten().to(torch.float64)
            for t, u in enumerate(membranes(neuron, current, levels))
        ]
        if self._edges is None:
            self._edges = _edges(torch.cat(steps))
        low, high = self._edges[0], self._edges[-1]
        for t, x in enumerate(steps):
            place = torch.searchsorted(self._edges, x, right=True) - 1
            place = place.masked_fill(x == high, BINS - 1)
            inside = place[(place >= 0) & (place < BINS)]
            self._counts[t] += torch.bincount(inside, minlength=BINS).numpy(force=True)
            self._below[t] += int((x < low).sum())
            self._above[t] += int((x > high).sum())
            self._total[t] += len(x)
            self._sum[t] += float(x.sum())
            self._squares[t] += float((x * x).sum())

    def result(self) -> MembraneStatistics:
        """Return the statistics of all batches, of which there must be one."""
        assert self._edges is not None
        mean = self._sum / self._total
        deviation = np.sqrt(np.maximum(self._squares / self._total - mean**2, 0))
        edges = self._edges.numpy(force=True)
        return MembraneStatistics(edges, self._counts, self._below, self._above, mean, deviation)


def _edges(x: Tensor) -> Tensor:
    """Borders of bins around all but the outermost membranes, at least one level wide."""
    some = x[:: len(x) // _MOST_FOR_RANGE | 1]  # an odd stride meets every channel and position
    low, high = torch.quantile(some, torch.tensor([_OUTSIDE, 1 - _OUTSIDE], dtype=x.dtype, device=x.device))
    middle, width = (low + high) / 2, torch.clamp((high - low) * (1 + 2 * _MARGIN), min=1.0)
    unit = torch.linspace(-0.5, 0.5, BINS + 1, dtype=x.dtype, device=x.device)
    edges: Tensor = middle + width * unit
    return edges
