"""The folded network: levels in, levels out, real numbers in between. Numpy only.

Its populations compute, per time step t (spec section 4 without the rounding to integers),

    u = leak · v + Σ_p W~_p,t · n_p + b
    n = min(D, max(0, floor(u / a_t + h)))        h = 1/2 for "half_up", 0 for "floor"

and the reset of the neuron; the readout's logits are the mean of its currents over the time steps.
Pools and sums between them are those of the integer network: they work on levels.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from spikefold.ir import Add, Input, Pool
from spikefold.ir.maps import Pair
from spikefold.ir.neuron import Reset, Rounding

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FoldedProjection:
    """Synapses from the levels of `source`; `weight` is `W~`: 1 or T weight sets, then the targets."""

    source: str
    weight: Reals

    @property
    def flat(self) -> Reals:
        """Weights of each target in a row, shape (sets, targets, weights of one target)."""
        return self.weight.reshape(*self.weight.shape[:2], -1)

    def scaled(self, gain: Reals) -> Self:
        """The same synapses with `gain`, one per target, in their weights."""
        return replace(self, weight=self.weight * gain.reshape(-1, *(1,) * (self.weight.ndim - 2)))


@dataclass(frozen=True, eq=False)
class FoldedDense(FoldedProjection):
    """All to all; weight (sets, targets, sources), the sources of a map as (channel, row, column)."""


@dataclass(frozen=True, eq=False)
class FoldedConv(FoldedProjection):
    """Convolution; weight (sets, targets, sources / groups, rows, columns); the padding is silent."""

    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    groups: int = 1


@dataclass(frozen=True, eq=False)
class FoldedIdentity(FoldedProjection):
    """Every neuron to the neuron at its place; weight (sets, channels)."""


@dataclass(frozen=True, eq=False)
class FoldedNeuron:
    """Parameters of a spiking population; `threshold` is `a`, shape (1 or T, channels), above 0."""

    threshold: Reals
    levels: int
    rounding: Rounding
    reset: Reset
    leak: float


@dataclass(frozen=True, eq=False)
class FoldedPopulation:
    """One population; `neuron` is None for the readout.

    Attributes
    ----------
    name
        `layer0`, `layer1`, .. in order, and `readout`.
    projections
        Synapses into it; at least one is dense or a convolution.
    bias
        Shape (channels,), added once per time step at every position.
    neuron
        Neuron parameters.
    modules
        Paths of the model's layers that were folded into it.
    """

    name: str
    projections: tuple[FoldedProjection, ...]
    bias: Reals
    neuron: FoldedNeuron | None
    modules: tuple[str, ...]

    @property
    def channels(self) -> int:
        """Number of channels: neurons at each position."""
        return len(self.bias)


FoldedStage = FoldedPopulation | Pool | Add


@dataclass(frozen=True, eq=False)
class FoldedNetwork:
    """A folded network: input encoding, `T`, stages in topological order (the last is the readout).

    Pools are named `pool0`, `pool1`, .. and sums `sum0`, `sum1`, .. in order.
    """

    input: Input
    steps: int
    stages: tuple[FoldedStage, ...]
    name: str

    @property
    def populations(self) -> tuple[FoldedPopulation, ...]:
        """The populations, in order."""
        return tuple(stage for stage in self.stages if isinstance(stage, FoldedPopulation))
