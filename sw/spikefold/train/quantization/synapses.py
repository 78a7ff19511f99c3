"""One projection of the integer network, as weights that the model's own layers compute with."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spikefold.fold.folded import Reals
from spikefold.fold.traces import Origin, Trace
from spikefold.nn import Conv2d
from spikefold.nn.binary import effective_weight
from spikefold.quantize.scales import Method, largest_weight, weight_scale
from spikefold.train.quantization.snapshot import Snapshot
from spikefold.train.quantization.spikes import Key, key_of


@dataclass(frozen=True, eq=False)
class Synapses:
    """Synapses from one source into a population.

    Attributes
    ----------
    trace
        What the folded weights are made of; without a layer, an identity, whose weight is 1.
    origin
        Where the scale of its source comes from.
    bits
        Of a weight.
    channels
        Of the population.
    binary
        Whether it has one bit because the layer is binary.
    """

    trace: Trace
    origin: Origin
    bits: int
    channels: int
    binary: bool = False

    @property
    def key(self) -> Key:
        """The key of the spikes that it reads."""
        return key_of(self.origin)

    def folded(self, snapshot: Snapshot) -> "Folded":
        """The weights as they are now, with all that is folded into them.

        In float64 as in the fold: weights that training leaves between two integers end close to the tie.
        """
        layer = self.trace.layer
        latent = torch.ones(self.channels, 1) if layer is None else effective_weight(layer).detach()
        factor = torch.from_numpy(self._factor(snapshot, latent.shape[1])).to(latent.device)
        factor = factor.reshape(*factor.shape, *(1,) * (latent.dim() - 2))
        return Folded(latent.double(), factor, self.bits, latent.dtype)

    def _factor(self, snapshot: Snapshot, per_group: int) -> Reals:
        """What the weight is multiplied with, (T or 1, targets, sources / groups)."""
        trace = self.trace
        groups = self.channels if trace.layer is None else getattr(trace.layer, "groups", 1)
        scale = snapshot.scale(self.origin, per_group * groups) / trace.divisor
        factor = scale.reshape(-1, groups, per_group).repeat(self.channels // groups, axis=1)
        for norm in trace.norms:
            factor = factor * snapshot.norm(norm)[0][:, None]
        return factor * trace.gain


@dataclass(frozen=True, eq=False)
class Folded:
    """Folded weights `W~ = latent · factor`.

    Attributes
    ----------
    latent
        `W`, (targets, sources / groups, ...).
    factor
        (T or 1, targets, sources / groups, ...).
    bits
        Of a weight.
    dtype
        Of the model's weight; the others are float64.
    """

    latent: Tensor
    factor: Tensor
    bits: int
    dtype: torch.dtype

    @property
    def weight(self) -> Tensor:
        """`W~`, (T or 1, targets, sources / groups, ...)."""
        return self.latent * self.factor

    def rounded(self, scale: Reals) -> Tensor:
        """The rounded weights with the factor taken out again, the shape of `W~`; `W` where it is 0.

        As `quantize.scales.round_weight`: one bit keeps the sign, and zeros take turns.
        """
        folded = self.weight
        unit = torch.from_numpy(scale).to(folded).reshape(-1, *(1,) * (folded.dim() - 2))
        if self.bits == 1:
            whole = torch.where(folded == 0, _turns(folded), folded.sign())
        else:
            largest = largest_weight(self.bits)
            whole = torch.round(folded / unit).clamp_(-largest, largest)
        return torch.where(self.factor == 0, self.latent, whole * unit / self.factor).to(self.dtype)


def wanted_scale(parts: list[Folded], method: Method, readout: bool) -> Reals:
    """The scale that the weights of a population need, as `quantize.scales.weight_scale`.

    (targets,), or (1,) of a readout, whose classes share it. For one-bit weights beside others of more bits
    the caller passes the one-bit weights alone.
    """
    flat = [(part.weight.flatten(2), part.bits) for part in parts]
    if readout:
        flat = [(weight.reshape(len(weight), 1, -1), bits) for weight, bits in flat]
    if method == "mse" and any(bits > 1 for _, bits in flat):
        return weight_scale([(_array(weight), bits) for weight, bits in flat], method)
    return np.max([_array(_one_scale(weight, bits)) for weight, bits in flat], axis=0)


def _one_scale(weight: Tensor, bits: int) -> Tensor:
    size = weight.abs()
    return size.mean((0, 2)) if bits == 1 else size.amax((0, 2)) / largest_weight(bits)


def _array(values: Tensor) -> Reals:
    return values.to(torch.float64).cpu().numpy()


def _turns(weight: Tensor) -> Tensor:
    """+1 and -1 by turns along every axis."""
    axes = [torch.arange(size, device=weight.device) for size in weight.shape]
    places = sum(axis.reshape(-1, *(1,) * (len(axes) - 1 - k)) for k, axis in enumerate(axes))
    return 1.0 - 2.0 * (places & 1).to(weight)


def apply(layer: torch.nn.Module, x: Tensor, weight: Tensor) -> Tensor:
    """Currents [T, B, ...] of values [T, B, ...] with weights (T or 1, targets, ...), without a bias."""
    if not isinstance(layer, Conv2d):
        return torch.nn.functional.linear(x, weight[0]) if len(weight) == 1 else x @ weight.transpose(1, 2)
    place = (None, layer.stride, layer.padding, 1, layer.groups)
    if len(weight) == 1:
        y = torch.nn.functional.conv2d(x.flatten(0, 1), weight[0], *place)
        return y.unflatten(0, x.shape[:2])
    steps = [torch.nn.functional.conv2d(step, w, *place) for step, w in zip(x, weight, strict=True)]
    return torch.stack(steps)
