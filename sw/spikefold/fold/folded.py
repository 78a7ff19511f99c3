"""The folded network: levels in, levels out, real numbers in between.

Its populations compute, per time step t ("The neuron" of docs/numerics.md without the rounding to integers),

    u = leak · v + Σ_p W~_p,t · n_p + b
    u = factor · u                                only with reset "scale", in the step after a spike
    n = min(D, max(0, floor(u / a_t + h)))        h = 1/2 for "half_up", 0 for "floor"; "half_even" is
                                                  "half_up", but gives the even level at a tie

and the reset of the neuron, which fires where `n > 0`, or where `u >= fire_floor` if it has one, with
`n = 0` elsewhere; the readout's logits are the mean of its currents over the time steps.
Pools and sums between them are those of the integer network: they work on levels.
"""

from dataclasses import dataclass, field, replace
from typing import Self

from torch import Tensor

from spikefold.ir import Add, Input, Pool
from spikefold.ir.maps import Pair
from spikefold.ir.neuron import Reset, Rounding
from spikefold.ir.stages import INPUT
from spikefold.nn.neurons.leak import PerChannel

Reals = Tensor
"""A float64 tensor without gradient."""


@dataclass(frozen=True, eq=False)
class FoldedProjection:
    """Synapses from the levels of `source`; `weight` is `W~`: 1 or T weight sets, then the targets.

    `binary` tells that they come from a layer whose weights were trained with one bit.
    """

    source: str
    weight: Reals
    binary: bool = field(default=False, kw_only=True)

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
    """Parameters of a spiking population.

    Attributes
    ----------
    threshold
        `a`, shape (1 or T, channels), above 0.
    levels, rounding, reset
        As in `ir.Neuron`.
    leak
        Of all channels, or of each where they differ.
    factor
        QB-LIF's `1 - α`, which scales `u` in the step after a spike; exactly where reset is "scale".
    fire_floor
        ReverB's `V_th` in membrane units: only `u >= V_th` fires; or None.
    """

    threshold: Reals
    levels: int
    rounding: Rounding
    reset: Reset
    leak: PerChannel
    factor: float | None = None
    fire_floor: float | None = None

    @property
    def leaks(self) -> tuple[float, ...]:
        """Leaks of the channels; one where they agree."""
        return self.leak if isinstance(self.leak, tuple) else (self.leak,)


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

    @property
    def levels(self) -> dict[str, int]:
        """Largest level of the input and of every stage that emits levels."""
        levels = {INPUT: self.input.levels}
        for stage in self.stages:
            if isinstance(stage, Pool):
                levels[stage.name] = stage.levels([levels[stage.source]])
            elif isinstance(stage, Add):
                levels[stage.name] = sum(levels[source] for source in stage.sources)
            elif stage.neuron is not None:
                levels[stage.name] = stage.neuron.levels
        return levels
