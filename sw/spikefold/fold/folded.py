"""The folded network: levels in, levels out, real numbers in between. Numpy only.

Its populations compute, per time step t (spec section 4 without the rounding to integers),

    u = leak · v + Σ_p W~_p,t · n_p + b
    n = min(D, max(0, floor(u / a_t + h)))        h = 1/2 for "half_up", 0 for "floor"

and the reset of the neuron; the readout's logits are the mean of its currents over the time steps.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikefold.ir import Input
from spikefold.ir.neuron import Reset, Rounding

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FoldedProjection:
    """Synapses from the levels of `source`; `weight` is `W~`, shape (1 or T sets, targets, sources)."""

    source: str
    weight: Reals


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
        Synapses into it.
    bias
        Shape (channels,), added once per time step.
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
        """Number of neurons."""
        return len(self.bias)


@dataclass(frozen=True, eq=False)
class FoldedNetwork:
    """A folded network: input encoding, `T`, populations in topological order (the last is the readout)."""

    input: Input
    steps: int
    populations: tuple[FoldedPopulation, ...]
    name: str
