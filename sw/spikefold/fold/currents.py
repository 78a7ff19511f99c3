"""Currents on their way to a neuron or the readout: sums of synapses and a bias."""

import math
from dataclasses import dataclass, replace
from functools import reduce

import torch

from spikefold.errors import ModelError
from spikefold.fold.folded import FoldedConv, FoldedIdentity, FoldedProjection, Reals
from spikefold.fold.mathematics import box, compose_kernels
from spikefold.fold.spikes import LayerPool, Shape, Spikes
from spikefold.fold.traces import Connection, Trace
from spikefold.nn.neurons.leak import PerChannel


@dataclass(frozen=True, eq=False)
class Path:
    """Synapses with all that is folded into them so far, and what they were made of."""

    projection: FoldedProjection
    trace: Trace

    def scaled(self, gain: Reals) -> "Path":
        """With a gain for each target."""
        return Path(self.projection.scaled(gain), self.trace.scaled(gain))


@dataclass(frozen=True, eq=False)
class Current:
    """What waits for a neuron or the readout: projections whose currents add, and a bias per channel.

    Attributes
    ----------
    map
        Shape of a sample at one time step: (channels, rows, columns) or (channels,).
    paths, bias
        The synapses, and (channels,) added at every position.
    modules
        Paths of the model's layers in it.
    peaks
        Max pools that wait for the neuron.
    """

    map: Shape
    paths: tuple[Path, ...]
    bias: Reals
    modules: tuple[str, ...]
    peaks: tuple[LayerPool, ...] = ()

    @property
    def shape(self) -> Shape:
        """Shape as the layers see it, after the max pools."""
        return self.peaks[-1].map if self.peaks else self.map

    def normed(self, name: str, gain: Reals, mean: Reals, offset: Reals) -> "Current":
        """After a batch norm per channel; a negative gain flips the signs of its channel's weights."""
        paths = tuple(path.scaled(gain) for path in self.paths)
        bias = (self.bias - mean) * gain + offset
        return replace(self, paths=paths, bias=bias, modules=(*self.modules, name))

    def scaled(self, gain: PerChannel) -> "Current":
        """Times a constant of at least 0 in all channels, or one in each, as an input decay's `1 - leak`."""
        if gain == 1:
            return self
        factors = torch.full_like(self.bias, 1) * self.bias.new_tensor(gain)
        return replace(
            self, paths=tuple(path.scaled(factors) for path in self.paths), bias=self.bias * factors
        )

    def averaged(self, pool: LayerPool) -> "Current":
        """After an average pool without padding, composed into the synapses; the bias is its own mean."""
        paths = tuple(_averaged(path, pool) for path in self.paths)
        return replace(self, map=pool.map, paths=paths, modules=(*self.modules, pool.layer))


def add_currents(name: str, currents: list[Current]) -> Current:
    """The sum, all of one shape: the projections of all."""
    modules = tuple(module for current in currents for module in current.modules)
    paths = tuple(path for current in currents for path in current.paths)
    bias = reduce(torch.add, (current.bias for current in currents))
    return Current(currents[0].map, paths, bias, (*modules, name))


def depthwise(path: Path) -> Path:
    """An identity as a convolution of one position: the hardware needs at least one window."""
    identity = path.projection
    weight = identity.weight[:, :, None, None, None]
    return Path(FoldedConv(identity.source, weight, groups=weight.shape[1]), path.trace)


def as_current(what: str, connection: Connection, spikes: Spikes) -> Current:
    """Spikes as identity synapses; `what` names the reader in errors."""
    if len(spikes.shape) != 3 and math.prod(spikes.map[1:]) > 1:
        raise ModelError(
            f"{what} must read channels, not {spikes.shape[0]} flattened features of {spikes.map}"
        )
    bias = spikes.per_channel(what, spikes.shift[None])[0]
    paths = []
    for member in spikes.members:
        scale = spikes.per_channel(what, member.scale)
        trace = Trace(connection, member.origins, scale, torch.ones_like(bias))
        paths.append(Path(FoldedIdentity(member.source, scale), trace))
    return Current(spikes.shape, tuple(paths), bias, spikes.modules)


def _averaged(path: Path, pool: LayerPool) -> Path:
    """Synapses followed by an average: exact for any padding of their own, which stays outside the map."""
    if isinstance(path.projection, FoldedIdentity):
        path = depthwise(path)
    conv, window = path.projection, pool.window
    assert isinstance(conv, FoldedConv)
    sizes = zip(conv.weight.shape[-2:], conv.stride, window.kernel, strict=True)
    composed = replace(
        conv,
        weight=compose_kernels(conv.weight, conv.stride, box(window.kernel, conv.weight)),
        stride=(conv.stride[0] * window.stride[0], conv.stride[1] * window.stride[1]),
    )
    overlaps = any(rows > step and pooled > 1 for rows, step, pooled in sizes)
    trace = replace(path.trace, rows=path.trace.rows / pool.positions)
    return Path(composed, replace(trace, overlaps=trace.overlaps or overlaps))
