"""The graph of an integer network: an input and the stages that read one another."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from spikefold.errors import ModelError
from spikefold.ir.input import Input
from spikefold.ir.maps import Map
from spikefold.ir.neuron import as_integer
from spikefold.ir.stages import INPUT, Population, Stage, check_name
from spikefold.limits import claim

MAX_STEPS = 1024
MAX_LEVELS = 255


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
        check_name("Network", self.name)
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
        levels = 8 * self.steps * sum(found.size for found in self.maps.values())
        claim(f"One sample's levels in network {self.name!r}", levels, error=ModelError)
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
        if any(stage.slides_on_input for stage in self.stages):
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
        return (self.maps[name].channels,) if stage.flat else tuple(self.maps[name])

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

    @cached_property
    def _levels(self) -> dict[str, int]:
        levels = {INPUT: self.input.levels}
        for stage in self.stages:
            levels[stage.name] = stage.levels([levels[source] for source in stage.sources])
        return levels

    def levels_of(self, source: str) -> int:
        """Largest level that a source emits; 0 for the readout."""
        return self._levels[source]


def _map_of(stage: Stage, maps: Mapping[str, Map]) -> Map:
    found = stage.target_maps(maps)
    for other in found[1:]:
        if other != found[0]:
            raise ModelError(
                f"Maps that meet must be equal, but {stage.sources[0]!r} gives {tuple(found[0])} and "
                f"another source {tuple(other)}"
            )
    return found[0]
