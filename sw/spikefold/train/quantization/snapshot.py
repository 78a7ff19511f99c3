"""The small parameters of a model at one moment, as folding reads them: float64, on the CPU."""

from collections.abc import Sequence

import numpy as np
import torch

from spikefold.fold.folded import FoldedNeuron, Reals
from spikefold.fold.parameters import as_array, batch_norm, spiking_neuron
from spikefold.fold.traces import Origin
from spikefold.nn import Input, Node

Norm = tuple[Reals, Reals, Reals]
"""Gain, mean and offset of a batch norm in eval mode, (channels,) each."""


class Snapshot:
    """Parameters of norms, neurons and the input, each read once, when it is first asked for."""

    def __init__(self, nodes: Sequence[Node], steps: int) -> None:
        self._nodes = {node.module: node for node in nodes}
        self._steps = steps
        self._norms: dict[torch.nn.Module, Norm] = {}
        self._neurons: dict[torch.nn.Module, tuple[FoldedNeuron, Reals]] = {}

    def norm(self, layer: torch.nn.Module) -> Norm:
        """Gain, mean and offset of a batch norm in eval mode."""
        if layer not in self._norms:
            self._norms[layer] = batch_norm(self._nodes[layer])
        return self._norms[layer]

    def neuron(self, layer: torch.nn.Module) -> tuple[FoldedNeuron, Reals]:
        """Parameters of a neuron layer, and the scale (T or 1, channels) of the levels it emits."""
        if layer not in self._neurons:
            self._neurons[layer] = spiking_neuron(self._nodes[layer], self._steps)
        return self._neurons[layer]

    def scale(self, origin: Origin, count: int) -> Reals:
        """Value of one level of each of `count` sources, channels or features, (T or 1, count)."""
        if isinstance(origin.emitter, Input):
            scale = _input_scale(origin.emitter, count)
        else:
            scale = spread(self.neuron(origin.emitter)[1], count)
        for layer in origin.norms:
            scale = scale * spread(self.norm(layer)[0][None], count)
        return scale / origin.divisor


def spread(values: Reals, count: int) -> Reals:
    """Repeat values (sets, channels) for the positions of each channel, (sets, count)."""
    return values.repeat(count // values.shape[1], axis=1)


def _input_scale(layer: Input, count: int) -> Reals:
    """Value of a level per channel, where so many are asked for, else per feature; (1, count)."""
    full = np.broadcast_to(as_array(layer.scale), layer.out_shape)
    channels = full.reshape(len(full), -1)
    return (channels[:, 0] if count == len(full) else channels.ravel())[None]
