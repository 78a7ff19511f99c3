"""The synapses between a source and a population: dense, convolution, identity."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikefold.errors import ModelError
from spikefold.ir.maps import Map, Pair, Window, as_pair
from spikefold.ir.neuron import Integers, as_integer, as_integers


@dataclass(frozen=True, eq=False)
class Projection:
    """What every kind of projection has.

    Parameters
    ----------
    source
        `"input"` or the name of an earlier population, pool or sum.
    weight
        Weight sets first: one set, or one per time step where the source's scale differs between
        steps (docs/numerics.md, "Fold", 2); then the targets.
    bits
        1 (weights are -1 and +1) or 2..8 (two's complement).
    """

    axes: ClassVar[int]

    source: str
    weight: Integers
    bits: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", as_integer("Weight bits", self.bits, 1, 8))
        object.__setattr__(self, "weight", as_integers("Weight", self.weight, self.axes))
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

    @property
    def targets(self) -> int:
        """Channels of the population it leads to."""
        return int(self.weight.shape[1])

    @property
    def flat(self) -> Integers:
        """Weights of each target in a row, shape (weight sets, targets, weights of one target)."""
        return self.weight.reshape(*self.weight.shape[:2], -1)

    def at(self, step: int) -> Integers:
        """Weights of a time step, without the axis of sets."""
        weight: Integers = self.weight[step if len(self.weight) > 1 else 0]
        return weight

    def window(self, source: Map) -> Window:
        """The window that slides over a source of this map."""
        raise NotImplementedError

    def target_map(self, source: Map) -> Map:
        """Map of the targets over a source of this map.

        Raises
        ------
        ModelError
            If the weights do not fit the source.
        """
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Dense(Projection):
    """All to all; weight (sets, targets, sources). Sources of a map come as (channel, row, column)."""

    axes = 3

    def window(self, source: Map) -> Window:
        """The whole map."""
        return Window(source, (source.height, source.width))

    def target_map(self, source: Map) -> Map:
        """One position."""
        if self.weight.shape[2] != source.size:
            raise ModelError(
                f"Dense weight must have {source.size} columns, one per neuron of {self.source!r}, "
                f"not {self.weight.shape[2]}"
            )
        return Map(self.targets)


@dataclass(frozen=True, eq=False)
class Conv(Projection):
    """Two-dimensional convolution (cross-correlation, as PyTorch's), padded with silence.

    Parameters
    ----------
    weight
        Shape (sets, targets, sources / groups, rows, columns).
    stride, padding
        (rows, columns).
    groups
        Consecutive channels of the source that only reach as many consecutive parts of the targets.
    """

    axes = 5

    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    groups: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "stride", as_pair("Stride", self.stride, 1))
        object.__setattr__(self, "padding", as_pair("Padding", self.padding, 0))
        object.__setattr__(self, "groups", as_integer("Groups", self.groups, 1, self.targets))
        if self.targets % self.groups:
            raise ModelError(f"Groups must divide the {self.targets} target channels, not be {self.groups}")

    @property
    def kernel(self) -> Pair:
        """(rows, columns)."""
        return self.weight.shape[3], self.weight.shape[4]

    def window(self, source: Map) -> Window:
        """The window that slides over the source."""
        return Window(source, self.kernel, self.stride, self.padding)

    def target_map(self, source: Map) -> Map:
        """Map of the outputs."""
        channels = self.weight.shape[2] * self.groups
        if channels != source.channels:
            raise ModelError(
                f"Convolution must have {source.channels} source channels, as many as {self.source!r}, "
                f"not {channels} ({self.weight.shape[2]} in each of {self.groups} groups)"
            )
        window = self.window(source)
        return Map(self.targets, window.height, window.width)


@dataclass(frozen=True, eq=False)
class Identity(Projection):
    """Every neuron to the neuron at its place, times a weight per channel; weight (sets, channels).

    A residual shortcut.
    """

    axes = 2

    def window(self, source: Map) -> Window:
        """A single position."""
        return Window(source, (1, 1))

    def target_map(self, source: Map) -> Map:
        """The source's map."""
        if self.targets != source.channels:
            raise ModelError(
                f"Identity must have {source.channels} channels, as many as {self.source!r}, "
                f"not {self.targets}"
            )
        return source


def reach(projection: Projection, levels: int) -> tuple[Integers, Integers]:
    """Least and largest sum per weight set and target for sources of level 0..`levels`, (sets, targets)."""
    w = projection.flat
    return np.minimum(w, 0).sum(axis=2) * levels, np.maximum(w, 0).sum(axis=2) * levels
