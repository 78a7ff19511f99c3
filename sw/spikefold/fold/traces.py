"""What folded weights were made of, for training with rounded weights."""

from dataclasses import dataclass, replace

import torch

from spikefold.fold.folded import Reals
from spikefold.fold.parameters import SynapseLayer, geometry
from spikefold.ir.maps import Window
from spikefold.nn import Conv2d

Connection = tuple[str, str]
"""Names of the layer that reads, and of the layer whose spikes it reads."""


@dataclass(frozen=True)
class Origin:
    """Where a scale comes from: that of a neuron or the input, times gains of batch norms, over `divisor`."""

    emitter: torch.nn.Module
    norms: tuple[torch.nn.Module, ...] = ()
    divisor: int = 1

    def normed(self, layer: torch.nn.Module) -> "Origin":
        """After a batch norm of spikes."""
        return replace(self, norms=(*self.norms, layer))


@dataclass(frozen=True, eq=False)
class Trace:
    """What weights were made of: `W~ = rows · W · columns`.

    Attributes
    ----------
    connection
        The layer that holds `W`, or reads spikes as a current, and the layer that it reads.
    origins
        Where the scale of the levels comes from; several where equal scales were added up.
    columns, rows
        Scale of each source, (T or 1, sources), and gain of each target, (targets,).
    layer
        The dense layer or convolution that holds `W`; None for an identity, whose `W` is 1.
    silence
        Value of each source, (sources,), where all levels are 0; what it adds to the current is in the bias.
        None where it is 0, and on all but the first of the sources that are added up.
    pool
        The average pool of spikes that is composed into the weights, a weight of `W` in several places.
    overlaps
        Whether a weight is the sum of several elements of `W`, where pools were composed into it.
    """

    connection: Connection
    origins: tuple[Origin, ...]
    columns: Reals
    rows: Reals
    layer: SynapseLayer | None = None
    silence: Reals | None = None
    pool: Window | None = None
    overlaps: bool = False

    @property
    def groups(self) -> int:
        """Groups of the synapses."""
        return len(self.rows) if self.layer is None else getattr(self.layer, "groups", 1)

    def scaled(self, gain: Reals) -> "Trace":
        """With a gain for each target."""
        return replace(self, rows=self.rows * gain)

    def one_each(self, weight: Reals) -> Reals:
        """Of weights (sets, targets, ...) that pools were composed into, one for each element of `W`.

        (sets, targets, sources / groups, ...), of an identity (sets, targets, 1). Without overlaps.
        """
        if self.layer is None:
            return weight.reshape(*weight.shape[:2], -1)[:, :, :1]
        if isinstance(self.layer, Conv2d):
            (height, width), _, _ = geometry(self.layer)
            down, right = (1, 1) if self.pool is None else self.pool.stride
            return weight[..., ::down, ::right][..., :height, :width]
        if self.pool is None:
            return weight
        maps = weight.reshape(*weight.shape[:2], *self.pool.map)
        # Position `y · stride` lies in window y; where that is behind the map the last position does.
        rows = [min(y * self.pool.stride[0], self.pool.map.height - 1) for y in range(self.pool.height)]
        columns = [min(x * self.pool.stride[1], self.pool.map.width - 1) for x in range(self.pool.width)]
        return maps[..., rows, :][..., columns].flatten(2, 4)
