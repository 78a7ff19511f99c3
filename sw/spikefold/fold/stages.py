"""The stages made so far: their names, their largest levels, and sums of spikes as stages."""

from dataclasses import replace
from functools import reduce

import torch

from spikefold.errors import ModelError
from spikefold.fold.currents import Path
from spikefold.fold.folded import FoldedPopulation, FoldedStage
from spikefold.fold.spikes import LayerPool, Member, Shape, Spikes
from spikefold.ir import Add, Pool
from spikefold.ir.network import MAX_LEVELS
from spikefold.ir.stages import INPUT
from spikefold.ir.stages import Pooling as PoolKind

MAX_MEMBERS = 4


class Stages:
    """Collects the stages of a folded network in order.

    `paths` keeps, by population, what its projections were made of.
    """

    def __init__(self, input_levels: int) -> None:
        self._stages: list[FoldedStage] = []
        self._levels = {INPUT: input_levels}
        self.paths: dict[str, tuple[Path, ...]] = {}

    @property
    def all(self) -> tuple[FoldedStage, ...]:
        """The stages in order."""
        return tuple(self._stages)

    def levels_of(self, source: str) -> int:
        """Largest level of the input or a stage."""
        return self._levels[source]

    def next_name(self, kind: str, of: type) -> str:
        """The kind's name and how many stages of that type there are."""
        return f"{kind}{sum(isinstance(stage, of) for stage in self._stages)}"

    def populate(self, population: FoldedPopulation, paths: tuple[Path, ...]) -> None:
        """Append a population."""
        levels = population.neuron.levels if population.neuron is not None else 0
        self.paths[population.name] = paths
        self._append(population, levels)

    def pool(self, spikes: Spikes, kind: PoolKind, pool: LayerPool) -> Spikes:
        """Append a pool of levels for each member."""
        window, members = pool.window, []
        for member in spikes.members:
            name = self.next_name("pool", Pool)
            stage = Pool(name, member.source, kind, window.kernel, window.stride, window.padding)
            levels = stage.levels([self._levels[member.source]])
            if levels > MAX_LEVELS:
                raise ModelError(
                    f"Pool {pool.layer!r} must sum at most {MAX_LEVELS} levels, not {levels}; pool fewer "
                    "positions, use neurons of fewer levels or let only dense layers and convolutions read it"
                )
            self._append(stage, levels)
            members.append(replace(member, source=name))
        return replace(spikes, map=pool.map, members=tuple(members))

    def add(self, layer: str, values: list[Spikes]) -> Spikes:
        """The sum of spikes of one shape: members of equal scale become one, by a sum of levels."""
        members: list[Member] = []
        places = tuple(
            tuple(self._join(members, member, values[0].map) for member in value.members) for value in values
        )
        if len(members) > MAX_MEMBERS:
            raise ModelError(
                f"Layer {layer!r} (add) must sum spikes of at most {MAX_MEMBERS} different scales, not "
                f"{len(members)}; tie those of the neurons that are added up with spikefold.nn.tie_scales"
            )
        modules = tuple(module for value in values for module in value.modules)
        if len(members) > 1:
            modules = (*modules, layer)
        shift = reduce(torch.add, (value.shift for value in values))
        return replace(values[0], members=tuple(members), shift=shift, modules=modules, places=places)

    def _join(self, members: list[Member], new: Member, shape: Shape) -> int:
        """Add a member to one of equal scale, or to the list; return its place there."""
        for k, old in enumerate(members):
            levels = self._levels[old.source] + self._levels[new.source]
            mapped = len(shape) == 3 or INPUT not in (old.source, new.source)
            if mapped and levels <= MAX_LEVELS and bool((old.scale == new.scale).all()):
                name = self.next_name("sum", Add)
                self._append(Add(name, (old.source, new.source)), levels)
                members[k] = Member(name, old.scale, old.origins + new.origins)
                return k
        members.append(new)
        return len(members) - 1

    def _append(self, stage: FoldedStage, levels: int) -> None:
        self._stages.append(stage)
        self._levels[stage.name] = levels
