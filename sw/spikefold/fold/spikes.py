"""Spikes on their way between layers: levels of stages, and what they are worth."""

import math
from dataclasses import dataclass, replace

import torch

from spikefold.errors import ModelError
from spikefold.fold.folded import Reals
from spikefold.fold.traces import Origin
from spikefold.ir.maps import Map, Pair, Window

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Member:
    """A stage's levels and what one of them is worth: `scale`, (1 or T, ...), broadcasts over the map."""

    source: str
    scale: Reals
    origins: tuple[Origin, ...]


@dataclass(frozen=True, eq=False)
class LayerPool:
    """A pool by the layer's name, and its window over the map that it pools."""

    layer: str
    window: Window

    @property
    def positions(self) -> int:
        """Positions of a window."""
        return math.prod(self.window.kernel)

    @property
    def map(self) -> Shape:
        """The pooled map."""
        return (self.window.map.channels, self.window.height, self.window.width)


@dataclass(frozen=True, eq=False)
class Spikes:
    """A sum of sources, `Σ scale · n + shift`.

    Attributes
    ----------
    map
        Shape of a sample at one time step: (channels, rows, columns), or any shape of features. With
        `average` it is the pooled one.
    members
        The sources; scales broadcast over the map.
    shift
        The value where all levels are 0; broadcasts over the map.
    flat
        Whether the layers see the map as one axis.
    average
        A pool that has yet to be carried out.
    modules
        Paths of the model's layers that are to be folded into the readers.
    places
        Of a sum: by summand and its member, the member that it became part of.
    """

    map: Shape
    members: tuple[Member, ...]
    shift: Reals
    flat: bool = False
    average: LayerPool | None = None
    modules: tuple[str, ...] = ()
    places: tuple[tuple[int, ...], ...] = ()

    @property
    def shape(self) -> Shape:
        """Shape as the layers see it."""
        return (math.prod(self.map),) if self.flat else self.map

    def normed(self, name: str, layer: torch.nn.Module, gain: Reals, mean: Reals, offset: Reals) -> "Spikes":
        """After a batch norm, whose parameters are one per channel, or per feature if flat."""
        gain, mean, offset = (self._spread(values) for values in (gain, mean, offset))
        members = tuple(
            Member(m.source, m.scale * gain, tuple(origin.normed(layer) for origin in m.origins))
            for m in self.members
        )
        shift = (self.shift - mean) * gain + offset
        return replace(self, members=members, shift=shift, modules=(*self.modules, name))

    def per_channel(self, what: str, values: Reals) -> Reals:
        """Values (sets, ...) that broadcast over the map, as (sets, channels).

        Raises
        ------
        ModelError
            If they differ between the positions of a channel; `what` names the reader.
        """
        if all(size == 1 for size in values.shape[2:]):
            return values.flatten(1).expand(-1, self.map[0])
        full = values.expand(-1, *self.map).flatten(2)
        if not bool((full == full[:, :, :1]).all()):
            raise ModelError(
                f"{what} must read values with one scale per channel, but they differ between positions; "
                "normalise the input per channel"
            )
        return full[:, :, 0]

    def per_feature(self, values: Reals) -> Reals:
        """Values (sets, ...) that broadcast over the map, as (sets, features)."""
        return values.expand(-1, *self.map).flatten(1)

    def _spread(self, values: Reals) -> Reals:
        if self.flat:
            return values.reshape(self.map)
        return values.reshape(-1, *(1,) * (len(self.map) - 1))


def slide(what: str, shape: Shape, kernel: Pair, stride: Pair, padding: Pair = (0, 0)) -> Window:
    """A window over maps of that shape; `what` names the layer in errors.

    Raises
    ------
    ModelError
        If they are no maps or the kernel does not fit them.
    """
    if len(shape) != 3:
        raise ModelError(f"{what} must read maps (channels, height, width), not shape {shape}")
    try:
        return Window(Map(*shape), kernel, stride, padding)
    except ModelError as error:
        raise ModelError(f"{what} must have a window that fits its map: {error}") from None
