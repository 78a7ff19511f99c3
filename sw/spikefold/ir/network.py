"""The graph of an integer network: input, populations and the projections between them."""

import math
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError, ModelError
from spikefold.ir.neuron import MAX_FRACTION, Integers, Neuron, as_integer, as_integers

INPUT = "input"
MAX_STEPS = 1024
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, eq=False)
class Input:
    """How features become levels (spec section 2.7).

    Parameters
    ----------
    shape
        Shape of one sample's features at one time step.
    levels
        `D_in`, 1..255.
    static
        True: one array of levels a sample, seen again at every time step. False: one array a step.
    minimum, maximum
        The features that become level 0 and level `D_in`.
    """

    shape: tuple[int, ...]
    levels: int
    static: bool = True
    minimum: float = 0.0
    maximum: float = 1.0

    def __post_init__(self) -> None:
        if not self.shape or any(not isinstance(n, int) or n < 1 for n in self.shape):
            raise ModelError(f"Input shape must be positive integers, not {self.shape!r}")
        object.__setattr__(self, "levels", as_integer("Input levels", self.levels, 1, 255))
        if not (math.isfinite(self.minimum) and math.isfinite(self.maximum) and self.minimum < self.maximum):
            raise ModelError(
                f"Input range must be finite and increasing, not {self.minimum!r}..{self.maximum!r}"
            )

    @property
    def size(self) -> int:
        """Features of one sample at one time step."""
        return math.prod(self.shape)

    def sample_shape(self, steps: int) -> tuple[int, ...]:
        """Shape of one sample as a user hands it in."""
        return self.shape if self.static else (steps, *self.shape)

    def encode(self, x: NDArray[np.generic], steps: int) -> Integers:
        """Turn samples into levels, shape (samples, presented steps, size).

        Floating-point features are scaled and rounded half up; integers are taken as levels
        already. Presented steps are 1 for a static input, else `steps`.

        Raises
        ------
        InputError
            If shape, dtype or range do not fit.
        """
        x = np.asarray(x)
        expected = self.sample_shape(steps)
        if x.shape[1:] != expected or x.ndim != len(expected) + 1:
            raise InputError(
                f"Samples must have shape (samples, {', '.join(map(str, expected))}), not {x.shape}"
            )
        if x.dtype.kind == "f":
            x = self._quantize(x)
        elif x.dtype.kind not in "iu":
            raise InputError(f"Samples must be floating-point features or integer levels, not {x.dtype}")
        elif x.size and not (x.min() >= 0 and x.max() <= self.levels):
            raise InputError(
                f"Integer samples must be levels 0..{self.levels}, not {x.min()}..{x.max()}; "
                "pass floating-point features to have them encoded"
            )
        return x.astype(np.int64).reshape(len(x), 1 if self.static else steps, self.size)

    def _quantize(self, x: NDArray[np.floating]) -> NDArray[np.floating]:
        if not np.isfinite(x).all():
            raise InputError("Samples must be finite, but hold NaN or infinity")
        scaled = (x.astype(np.float64) - self.minimum) * self.levels / (self.maximum - self.minimum)
        return np.clip(np.floor(scaled + 0.5), 0, self.levels)


@dataclass(frozen=True, eq=False)
class Projection:
    """Dense synapses from one source into a population.

    Parameters
    ----------
    source
        `"input"` or the name of an earlier population.
    weight
        Shape (weight sets, targets, sources): one set, or one per time step where the source's
        scale differs between steps (spec section 2.2).
    bits
        1 (weights are -1 and +1) or 2..8 (two's complement).
    """

    source: str
    weight: Integers
    bits: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", as_integer("Weight bits", self.bits, 1, 8))
        object.__setattr__(self, "weight", as_integers("Weight", self.weight, 3))
        w = self.weight
        if not w.size:
            raise ModelError(f"Weight must not be empty, but has shape {w.shape}")
        if self.bits == 1:
            if not (abs(w) == 1).all():
                raise ModelError("One-bit weights must be -1 or +1")
            return
        limit = 1 << (self.bits - 1)
        if w.min() < -limit or w.max() >= limit:
            raise ModelError(
                f"Weights of {self.bits} bits must be {-limit}..{limit - 1}, not {w.min()}..{w.max()}"
            )

    def at(self, step: int) -> Integers:
        """Weights of a time step, shape (targets, sources)."""
        return self.weight[step if len(self.weight) > 1 else 0]


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons that share one set of parameters, or, with `neuron=None`, the readout.

    A readout emits no spikes: it sums its current over the time steps.

    Parameters
    ----------
    name
        Lower case letters, digits and underscores; unique; not `"input"`.
    projections
        Synapses into this population; their currents add.
    bias
        `b`, shape (T or 1, channels), added once per time step.
    fraction
        `F`, 0..8: the current is shifted left by it before the bias is added.
    neuron
        Neuron parameters, or None for the readout.
    scale
        Real value of one unit of current (readout: of one logit unit, after the mean over T).
        Bookkeeping only; shape (channels,). It never reaches the hardware.
    """

    name: str
    projections: tuple[Projection, ...]
    bias: Integers
    fraction: int = 0
    neuron: Neuron | None = None
    scale: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name == INPUT:
            raise ModelError(
                f"Population name must be lower case letters, digits and underscores, not {self.name!r}"
            )
        fraction = as_integer(f"Fraction F of {self.name!r}", self.fraction, 0, MAX_FRACTION)
        object.__setattr__(self, "fraction", fraction)
        if not self.projections:
            raise ModelError(f"Population {self.name!r} must have a projection, but has none")
        object.__setattr__(self, "bias", as_integers(f"Bias of {self.name!r}", self.bias, 2))
        for projection in self.projections:
            if projection.weight.shape[1] != self.channels:
                raise ModelError(
                    f"Weight of {self.name!r} must have {self.channels} rows, "
                    f"not {projection.weight.shape[1]}"
                )
        if self.neuron is not None and self.neuron.threshold.shape[1] != self.channels:
            raise ModelError(
                f"Threshold of {self.name!r} must have {self.channels} channels, "
                f"not {self.neuron.threshold.shape[1]}"
            )
        if self.scale is not None and np.shape(self.scale) != (self.channels,):
            raise ModelError(
                f"Scale of {self.name!r} must have shape ({self.channels},), not {np.shape(self.scale)}"
            )

    @property
    def channels(self) -> int:
        """Number of neurons."""
        return self.bias.shape[1]

    def bias_at(self, step: int) -> Integers:
        """Bias of a time step, shape (channels,)."""
        return self.bias[step if len(self.bias) > 1 else 0]


@dataclass(frozen=True, eq=False)
class Network:
    """A complete folded and quantized network.

    Parameters
    ----------
    input
        The input encoding.
    steps
        `T`, 1..1024.
    populations
        In topological order; the last, and only the last, is the readout.
    name
        Name of the design; the Verilog top is `<name>_top`.
    """

    input: Input
    steps: int
    populations: tuple[Population, ...]
    name: str = "network"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ModelError(
                f"Network name must be lower case letters, digits and underscores, not {self.name!r}"
            )
        object.__setattr__(self, "steps", as_integer("Time steps T", self.steps, 1, MAX_STEPS))
        if not self.populations or self.populations[-1].neuron is not None:
            raise ModelError("The last population must be a readout")
        known = {INPUT: self.input.size}
        for population in self.populations:
            self._check(population, known)
            known[population.name] = population.channels

    def _check(self, population: Population, known: dict[str, int]) -> None:
        name = population.name
        if name in known:
            raise ModelError(f"Population names must be unique, but {name!r} comes twice")
        if population.neuron is None and population is not self.populations[-1]:
            raise ModelError(f"Only the last population may be a readout, not {name!r}")
        for projection in population.projections:
            if projection.source not in known:
                raise ModelError(
                    f"Source of {name!r} must be the input or an earlier population, "
                    f"not {projection.source!r}"
                )
            if projection.weight.shape[2] != known[projection.source]:
                raise ModelError(
                    f"Weight of {name!r} must have {known[projection.source]} columns, one per neuron of "
                    f"{projection.source!r}, not {projection.weight.shape[2]}"
                )
        rows = {"bias": population.bias}
        rows |= {f"weight from {p.source!r}": p.weight for p in population.projections}
        if population.neuron is not None:
            rows["threshold"] = population.neuron.threshold
        for what, array in rows.items():
            if len(array) not in (1, self.steps):
                raise ModelError(
                    f"{what.capitalize()} of {name!r} must come once or once per time step "
                    f"({self.steps}), not {len(array)} times"
                )

    @cached_property
    def by_name(self) -> dict[str, Population]:
        """Populations by name."""
        return {population.name: population for population in self.populations}

    @property
    def readout(self) -> Population:
        """The last population."""
        return self.populations[-1]

    def levels_of(self, source: str) -> int:
        """Largest level that `source` (the input or a spiking population) emits."""
        if source == INPUT:
            return self.input.levels
        neuron = self.by_name[source].neuron
        if neuron is None:
            raise ModelError(f"A readout emits no levels, but {source!r} is used as a source")
        return neuron.levels
