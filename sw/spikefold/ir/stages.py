"""Stages of an integer network: populations, pools and sums."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import ModelError, shown
from spikefold.ir.maps import Map, Pair, Window, as_pair
from spikefold.ir.neuron import MAX_FRACTION, Integers, Neuron, as_integer, as_integers
from spikefold.ir.projections import Dense, Projection

INPUT = "input"
Pooling = Literal["sum", "max"]
_NAME = re.compile(r"[a-z][a-z0-9_]*")
MAX_NAME = 64
"""Letters of a name: files and Verilog modules are called after it."""


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons that share one set of parameters, or, with `neuron=None`, the readout.

    A readout emits no spikes: it sums its current over the time steps.

    Parameters
    ----------
    name
        Lower case letters, digits and underscores; unique; not `"input"`.
    projections
        Synapses into this population; their currents add, so their maps must be equal.
    bias
        `b`, shape (T or 1, channels), added once per time step.
    fraction
        `F`, 0..8: the current is shifted left by it before the bias is added.
    neuron
        Neuron parameters, or None for the readout.
    scale
        Real value of one unit of current (readout: of one logit unit, after the mean over T).
        Bookkeeping only; shape (channels,). No level depends on it.
    """

    name: str
    projections: tuple[Projection, ...]
    bias: Integers
    fraction: int = 0
    neuron: Neuron | None = None
    scale: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        check_name("Population", self.name)
        fraction = as_integer(f"Fraction F of {self.name!r}", self.fraction, 0, MAX_FRACTION)
        object.__setattr__(self, "fraction", fraction)
        if not self.projections:
            raise ModelError(f"Population {self.name!r} must have a projection, but has none")
        object.__setattr__(self, "bias", as_integers(f"Bias of {self.name!r}", self.bias, 2))
        for projection in self.projections:
            if projection.targets != self.channels:
                raise ModelError(
                    f"Weight of {self.name!r} must have {self.channels} rows, not {projection.targets}"
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
    def slides_on_input(self) -> bool:
        """Whether it needs the input as a map."""
        return any(p.source == INPUT and not isinstance(p, Dense) for p in self.projections)

    @property
    def flat(self) -> bool:
        """Whether a sample's levels are a vector, not a map: behind a dense projection."""
        return any(isinstance(p, Dense) for p in self.projections)

    def target_maps(self, maps: Mapping[str, Map]) -> list[Map]:
        """The map that each projection gives."""
        return [p.target_map(maps[p.source]) for p in self.projections]

    def levels(self, sources: Sequence[int]) -> int:
        """Largest level it emits; 0 of the readout."""
        return self.neuron.levels if self.neuron is not None else 0

    @property
    def channels(self) -> int:
        """Channels: neurons at each position."""
        return int(self.bias.shape[1])

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of what the projections read, in order."""
        return tuple(projection.source for projection in self.projections)

    def window(self, port: int, maps: Mapping[str, Map]) -> Window:
        """The window of the `port`-th projection over its source; of an identity a single position."""
        projection = self.projections[port]
        return projection.window(maps[projection.source])

    def bias_at(self, step: int) -> Integers:
        """Bias of a time step, shape (channels,)."""
        bias: Integers = self.bias[step if len(self.bias) > 1 else 0]
        return bias


@dataclass(frozen=True, eq=False)
class Pool:
    """Pooling of levels, channel by channel: the sum (average pooling) or the largest of a window.

    A sum's levels reach as far as the window has positions; what divides them is in the weights that
    follow.
    """

    flat: ClassVar[bool] = False

    name: str
    source: str
    pooling: Pooling
    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)

    def __post_init__(self) -> None:
        check_name("Pool", self.name)
        if self.pooling not in get_args(Pooling):
            raise ModelError(f"Pooling of {self.name!r} must be 'sum' or 'max', not {self.pooling!r}")
        object.__setattr__(self, "kernel", as_pair(f"Kernel of {self.name!r}", self.kernel, 1))
        object.__setattr__(self, "stride", as_pair(f"Stride of {self.name!r}", self.stride, 1))
        object.__setattr__(self, "padding", as_pair(f"Padding of {self.name!r}", self.padding, 0))

    @property
    def sources(self) -> tuple[str, ...]:
        """The name of what it reads."""
        return (self.source,)

    def window(self, port: int, maps: Mapping[str, Map]) -> Window:
        """The window that slides over the source."""
        return Window(maps[self.source], self.kernel, self.stride, self.padding)

    @property
    def slides_on_input(self) -> bool:
        """Whether it needs the input as a map."""
        return self.source == INPUT

    def target_maps(self, maps: Mapping[str, Map]) -> list[Map]:
        """The map it gives."""
        window = self.window(0, maps)
        return [Map(maps[self.source].channels, window.height, window.width)]

    def levels(self, sources: Sequence[int]) -> int:
        """Largest level for a source whose largest level is `sources[0]`."""
        return sources[0] * (prod(self.kernel) if self.pooling == "sum" else 1)


@dataclass(frozen=True, eq=False)
class Add:
    """The sum of two sources' levels, neuron by neuron (SEW's ADD where both have one scale)."""

    flat: ClassVar[bool] = False

    name: str
    sources: tuple[str, str]

    def __post_init__(self) -> None:
        check_name("Sum", self.name)
        if len(self.sources) != 2:
            raise ModelError(f"Sum {self.name!r} must have 2 sources, not {len(self.sources)}")

    def window(self, port: int, maps: Mapping[str, Map]) -> Window:
        """The single position that is read of each source."""
        return Window(maps[self.sources[port]], (1, 1))

    @property
    def slides_on_input(self) -> bool:
        """Whether it needs the input as a map."""
        return INPUT in self.sources

    def target_maps(self, maps: Mapping[str, Map]) -> list[Map]:
        """The map of each source."""
        return [maps[source] for source in self.sources]

    def levels(self, sources: Sequence[int]) -> int:
        """Largest level for sources of these largest levels."""
        return sum(sources)


Stage = Population | Pool | Add
"""What a network is made of. All have a name, sources, windows, maps and levels."""


def check_name(what: str, name: object) -> None:
    """Raise ModelError, which calls the thing `what`, unless `name` can name a network or a stage."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name == INPUT:
        raise ModelError(f"{what} name must be lower case letters, digits and underscores, not {shown(name)}")
    if len(name) > MAX_NAME:
        raise ModelError(f"{what} name must have at most {MAX_NAME} letters, not {len(name)}")
