"""The graph of an integer network: input, populations, pools, sums and the projections between them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import ModelError
from spikefold.ir.input import Input
from spikefold.ir.maps import Map, Pair, Window, as_pair
from spikefold.ir.neuron import MAX_FRACTION, Integers, Neuron, as_integer, as_integers
from spikefold.ir.projections import Dense, Projection

INPUT = "input"
MAX_STEPS = 1024
MAX_LEVELS = 255
Pooling = Literal["sum", "max"]
_NAME = re.compile(r"[a-z][a-z0-9_]*")


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
        _check_name("Population", self.name)
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

    name: str
    source: str
    pooling: Pooling
    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)

    def __post_init__(self) -> None:
        _check_name("Pool", self.name)
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

    def levels(self, source: int) -> int:
        """Largest level for a source of levels 0..`source`."""
        return source * self.kernel[0] * self.kernel[1] if self.pooling == "sum" else source


@dataclass(frozen=True, eq=False)
class Add:
    """The sum of two sources' levels, neuron by neuron (SEW's ADD where both have one scale)."""

    name: str
    sources: tuple[str, str]

    def __post_init__(self) -> None:
        _check_name("Sum", self.name)
        if len(self.sources) != 2:
            raise ModelError(f"Sum {self.name!r} must have 2 sources, not {len(self.sources)}")

    def window(self, port: int, maps: Mapping[str, Map]) -> Window:
        """The single position that is read of each source."""
        return Window(maps[self.sources[port]], (1, 1))


Stage = Population | Pool | Add


@dataclass(frozen=True, eq=False)
class Network:
    """A complete folded and quantized network.

    Parameters
    ----------
    input
        The input encoding.
    steps
        `T`, 1..1024.
    stages
        Populations, pools and sums in topological order; the last, and only the last, is the readout.
    name
        Lower case letters, digits and underscores.
    """

    input: Input
    steps: int
    stages: tuple[Stage, ...]
    name: str = "network"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ModelError(
                f"Network name must be lower case letters, digits and underscores, not {self.name!r}"
            )
        object.__setattr__(self, "steps", as_integer("Time steps T", self.steps, 1, MAX_STEPS))
        object.__setattr__(self, "stages", tuple(self.stages))
        if not self.stages or not isinstance(self.stages[-1], Population) or self.stages[-1].neuron:
            raise ModelError("The last population must be a readout")
        known = {INPUT}
        for stage in self.stages:
            self._check(stage, known)
            known.add(stage.name)
        for stage in self.stages:
            if (levels := self.levels_of(stage.name)) > MAX_LEVELS:
                raise ModelError(
                    f"Levels of {stage.name!r} must be at most {MAX_LEVELS}, not {levels}; "
                    "pool fewer positions or use neurons of fewer levels"
                )
        _ = self.maps
        if self.maps[self.readout.name].positions != 1:
            raise ModelError(
                f"Readout must have one position, not {self.maps[self.readout.name].positions}; "
                "end with a dense projection"
            )

    def _check(self, stage: Stage, known: set[str]) -> None:
        name = stage.name
        if name in known:
            raise ModelError(f"Population names must be unique, but {name!r} comes twice")
        for source in stage.sources:
            if source not in known:
                raise ModelError(
                    f"Source of {name!r} must be the input or an earlier population, not {source!r}"
                )
        if isinstance(stage, Population):
            self._check_population(stage)

    def _check_population(self, population: Population) -> None:
        name = population.name
        if population.neuron is None and population is not self.stages[-1]:
            raise ModelError(f"Only the last population may be a readout, not {name!r}")
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
    def maps(self) -> Mapping[str, Map]:
        """Map of every source and of the readout, by name.

        An input of three axes that a convolution or pool reads is a map; any other is one position.
        """
        maps = {INPUT: self._input_map()}
        for stage in self.stages:
            try:
                maps[stage.name] = _map_of(stage, maps)
            except ModelError as error:
                raise ModelError(f"{error} (into {stage.name!r})") from None
        return maps

    def _input_map(self) -> Map:
        shape = self.input.levels_shape
        if any(_slides_on_input(stage) for stage in self.stages):
            if len(shape) != 3:
                raise ModelError(
                    f"Input of a convolution must have shape (channels, height, width), not {shape}"
                )
            return Map(*shape)
        return Map(self.input.size)

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Shape of a sample's levels at one step: (channels,) if dense, else (channels, height, width)."""
        if name == INPUT:
            return self.input.levels_shape
        stage = self.by_name[name]
        if isinstance(stage, Population) and any(isinstance(p, Dense) for p in stage.projections):
            return (stage.channels,)
        return tuple(self.maps[name])

    @cached_property
    def by_name(self) -> dict[str, Stage]:
        """Populations, pools and sums by name."""
        return {stage.name: stage for stage in self.stages}

    @property
    def populations(self) -> tuple[Population, ...]:
        """The populations, in order."""
        return tuple(stage for stage in self.stages if isinstance(stage, Population))

    @property
    def readout(self) -> Population:
        """The last population."""
        last = self.stages[-1]
        assert isinstance(last, Population)
        return last

    def levels_of(self, source: str) -> int:
        """Largest level that a source emits; 0 for the readout."""
        if source == INPUT:
            return self.input.levels
        stage = self.by_name[source]
        if isinstance(stage, Pool):
            return stage.levels(self.levels_of(stage.source))
        if isinstance(stage, Add):
            return sum(map(self.levels_of, stage.sources))
        return stage.neuron.levels if stage.neuron is not None else 0


def _check_name(what: str, name: str) -> None:
    if not _NAME.fullmatch(name) or name == INPUT:
        raise ModelError(f"{what} name must be lower case letters, digits and underscores, not {name!r}")


def _slides_on_input(stage: Stage) -> bool:
    if isinstance(stage, Population):
        return any(p.source == INPUT and not isinstance(p, Dense) for p in stage.projections)
    return INPUT in stage.sources


def _map_of(stage: Stage, maps: Mapping[str, Map]) -> Map:
    if isinstance(stage, Population):
        found = [p.target_map(maps[p.source]) for p in stage.projections]
    elif isinstance(stage, Pool):
        window = stage.window(0, maps)
        found = [Map(maps[stage.source].channels, window.height, window.width)]
    else:
        found = [maps[source] for source in stage.sources]
    for other in found[1:]:
        if other != found[0]:
            raise ModelError(
                f"Maps that meet must be equal, but {stage.sources[0]!r} gives {tuple(found[0])} and "
                f"another source {tuple(other)}"
            )
    return found[0]
