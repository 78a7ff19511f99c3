"""What a model computes where all levels are 0: the biases that folding finds, without its weights."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from spikefold.fold.folded import Reals
from spikefold.fold.mathematics import fold_shift
from spikefold.fold.parameters import as_array
from spikefold.nn import Conv2d, Input, Node, SpikingNeuron
from spikefold.nn.binary import effective_weight
from spikefold.train.quantization.snapshot import Norm, Snapshot

Shift = Reals | None
"""Value of silent spikes, (channels, 1 or positions); None where it is 0 everywhere."""


@dataclass
class Silence:
    """Values of every layer in eval mode where no neuron fires and all input levels are 0.

    Attributes
    ----------
    shifts
        By layer that gives spikes.
    biases
        By layer that gives currents, (channels,).
    read
        By dense layer or convolution: the shift of each of its sources, (sources,), if any is not 0.
    """

    shifts: dict[str, Shift] = field(default_factory=dict)
    biases: dict[str, Reals] = field(default_factory=dict)
    read: dict[str, Reals] = field(default_factory=dict)

    def bias(self, name: str, channels: int) -> Reals:
        """What a layer computes, (channels,); spikes are taken as a current."""
        return self.biases[name] if name in self.biases else _per_channel(self.shifts[name], channels)


def silence(nodes: Sequence[Node], snapshot: Snapshot) -> Silence:
    """Follow silence through the layers of a model, in their order."""
    found = Silence()
    for node in nodes:
        _visit(node, found, snapshot)
    return found


def source_sums(weight: torch.Tensor) -> Reals:
    """Weights (..., targets, sources / groups, kernel) summed over the kernel of a convolution."""
    axes = tuple(range(2, weight.dim()))
    return as_array(weight.detach().double().sum(axes) if axes else weight)


def _visit(node: Node, found: Silence, snapshot: Snapshot) -> None:
    shifts, biases = found.shifts, found.biases
    if isinstance(node.module, Input):
        shifts[node.name] = _input_shift(node.module)
        return
    source = node.inputs[0]
    if isinstance(node.module, torch.nn.Linear | torch.nn.Conv2d):
        biases[node.name] = _synapses(node, shifts[source], found)
    elif isinstance(node.module, SpikingNeuron):
        shifts[node.name] = None
    elif node.kind == "add":
        _add(node, found)
    elif node.kind == "batch_norm":
        norm = snapshot.norm(node.module)
        if source in biases:
            biases[node.name] = _normed(biases[source], norm)
        else:
            shifts[node.name] = _normed_shift(shifts[source], norm)
    elif source in biases:
        biases[node.name] = biases[source]
    elif node.kind in ("avg_pool", "global_avg_pool", "max_pool"):
        shifts[node.name] = None if shifts[source] is None else shifts[source][:, :1]
    else:
        shifts[node.name] = shifts[source]


def _input_shift(layer: Input) -> Shift:
    shift = np.broadcast_to(as_array(layer.shift), layer.out_shape)
    per_channel = shift.reshape(len(shift), -1)
    if not per_channel.any():
        return None
    uniform = (per_channel == per_channel[:, :1]).all()
    return per_channel[:, :1].copy() if uniform else per_channel


def _synapses(node: Node, shift: Shift, found: Silence) -> Reals:
    layer = node.module
    bias = np.zeros(len(layer.weight)) if layer.bias is None else as_array(layer.bias)
    if shift is None:
        return bias
    groups = layer.groups if isinstance(layer, Conv2d) else 1
    found.read[node.name] = per_source(shift, layer.weight.shape[1] * groups)
    return bias + fold_shift(source_sums(effective_weight(layer)), found.read[node.name], groups)


def per_source(shift: Reals, sources: int) -> Reals:
    """Shifts of so many channels or features, (sources,)."""
    if sources == len(shift):
        return shift[:, 0]
    return np.broadcast_to(shift, (len(shift), sources // len(shift))).ravel()


def _per_channel(shift: Shift, channels: int) -> Reals:
    """Spikes as the current of identity synapses."""
    return np.zeros(channels) if shift is None else per_source(shift, channels)


def _add(node: Node, found: Silence) -> None:
    currents = [found.biases[name] for name in node.inputs if name in found.biases]
    shifts = [found.shifts[name] for name in node.inputs if name not in found.biases]
    if currents:
        currents += [_per_channel(shift, len(currents[0])) for shift in shifts]
        found.biases[node.name] = np.sum(currents, axis=0)
        return
    given = [shift for shift in shifts if shift is not None]
    if len({len(shift) for shift in given}) > 1:  # flat features with and without a batch norm
        features = max(shift.size for shift in given)
        given = [per_source(shift, features)[:, None] for shift in given]
    found.shifts[node.name] = sum(given[1:], given[0]) if given else None


def _normed(values: Reals, norm: Norm) -> Reals:
    gain, mean, offset = norm
    return (values - mean) * gain + offset


def _normed_shift(shift: Shift, norm: Norm) -> Shift:
    features = len(norm[0])
    values = np.zeros(features) if shift is None else per_source(shift, features)
    normed = _normed(values, norm)[:, None]
    return normed if normed.any() else None
