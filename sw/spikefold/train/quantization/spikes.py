"""Spikes on their way between layers: values, kept apart where their scales differ."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from spikefold.fold.traces import Origin
from spikefold.nn import ILIF, LIF

Source = tuple[object, tuple[torch.nn.Module, ...]]
"""An emitter of spikes, see `emitter_key`, and the batch norms behind it."""
Key = tuple[Source, int]
"""Equal where scales are equal by construction: a source, and the positions its values are averages of."""


@dataclass(frozen=True, eq=False)
class Spikes:
    """A sum of values [T, B, ...] of one scale each; the first holds what silence is worth."""

    members: dict[Key, Tensor]

    @property
    def total(self) -> Tensor:
        """The sum."""
        return reduce(torch.add, self.members.values())

    def mapped(self, function: Callable[[Tensor], Tensor], positions: int = 1) -> "Spikes":
        """After a linear layer that keeps the channels, an average of so many positions."""
        members = self.members.items()
        return Spikes({(source, n * positions): function(value) for (source, n), value in members})

    def plus(self, other: "Spikes") -> "Spikes":
        """The sum, values of one key merged."""
        members = dict(self.members)
        for key, value in other.members.items():
            members[key] = members[key] + value if key in members else value
        return Spikes(members)


def emitter_key(emitter: torch.nn.Module) -> object:
    """The same for emitters whose scales are equal by construction: tied ones, and all those of scale 1."""
    return None if isinstance(emitter, ILIF | LIF) else getattr(emitter, "tied", (emitter,))[0]


def key_of(origin: Origin) -> Key:
    """The key of the spikes of an origin."""
    return (emitter_key(origin.emitter), origin.norms), origin.divisor
