"""What a layer with weights reads, in levels: spikes through pools and sums, as the hardware adds them."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikefold.ir.coding import CODINGS, Coding, digits_of
from spikefold.ir.network import MAX_LEVELS

Count = Literal["events"] | Coding
COUNTS: tuple[Count, ...] = ("events", *CODINGS)
"""What is counted: values above zero, and digits in each coding."""

Sums = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Source:
    """Levels of one source.

    Attributes
    ----------
    levels
        [T, B, ...], whole numbers.
    largest
        The largest level it can have.
    divisor
        Positions that levels are sums over, where average pools were.
    unit
        Equal for sources whose levels are worth the same by construction, so that they can be added up.
    static
        Whether every time step repeats the first, as of a static input: it is worked on once.
    raw
        Whether it is the network's input.
    pooled
        Counts of an average pool that goes into the weights that follow, see `average`.
    """

    levels: Tensor
    largest: int
    unit: Hashable
    divisor: int = 1
    static: bool = False
    raw: bool = False
    pooled: Sums | None = field(default=None, repr=False)

    def sums(self) -> Sums:
        """Values of `COUNTS` at every position, over samples, time steps and channels: [H, W] or []."""
        if self.pooled is not None:
            return self.pooled
        levels = self.levels[:1] if self.static else self.levels
        levels = levels.to(torch.int64).flatten(0, 2)
        most = int(levels.max())
        return {name: _digits(name, most, levels).sum(0).numpy(force=True) for name in COUNTS}

    def mapped(self, layer: torch.nn.Module) -> "Source":
        """Through a layer that moves levels or takes the largest: its output is levels again."""
        pooled = self.pooled
        if pooled is not None and isinstance(layer, torch.nn.Flatten):
            pooled = {name: counts.sum() for name, counts in pooled.items()}
        return replace(self, levels=layer(self.levels), pooled=pooled)

    def average(self, layer: torch.nn.Module, positions: int) -> "Source":
        """Through an average pool of so many positions, a unit that adds levels up.

        Where sums could pass 255, the pool goes into the weights that follow (as `spikefold.fold` does it):
        levels stay single, and each is added once for every window it is in.
        """
        total = self.largest * positions
        summed = replace(
            self,
            levels=torch.round(layer(self.levels) * positions),
            largest=total,
            unit=(self.unit, positions),
            divisor=self.divisor * positions,
        )
        if total <= MAX_LEVELS and self.pooled is None:
            return summed
        sums = self.sums()
        windows = {
            name: layer(torch.from_numpy(s).to(torch.float64)[None, None, None]) for name, s in sums.items()
        }
        return replace(summed, pooled={name: (w * positions)[0, 0, 0].numpy() for name, w in windows.items()})

    def normed(self, name: str) -> "Source":
        """Through a batch norm, which changes what a level is worth, channel by channel."""
        return replace(self, unit=(self.unit, name))


def added(sources: list[Source]) -> list[Source]:
    """Return what a sum of spikes is to its readers: sources worth the same become one."""
    merged: dict[Hashable, Source] = {}
    for source in sources:
        other = merged.get(source.unit)
        if other is None or other.pooled is not None or source.pooled is not None:
            merged[source.unit if other is None else (source.unit, len(merged))] = source
            continue
        merged[source.unit] = replace(
            other,
            levels=other.levels + source.levels,
            largest=other.largest + source.largest,
            static=other.static and source.static,
            raw=other.raw or source.raw,
        )
    return list(merged.values())


def _digits(name: Count, most: int, levels: Tensor) -> Tensor:
    """Digits of every level, or whether it is above 0."""
    if name == "events":
        return levels > 0
    if name == "unary":
        return levels
    return torch.tensor([len(digits_of(n, name)) for n in range(most + 1)], device=levels.device)[levels]
