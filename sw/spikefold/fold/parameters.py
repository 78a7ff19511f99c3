"""Parameters of trained layers as float64 arrays, checked; messages name the layer."""

from typing import cast

import numpy as np
import torch
from torch import Tensor

from spikefold.errors import ModelError
from spikefold.fold.folded import FoldedNeuron, Reals
from spikefold.fold.mathematics import batch_norm_gain, merge_steps
from spikefold.ir.neuron import Reset, Rounding
from spikefold.nn import Conv2d, Node, SpikingNeuron
from spikefold.nn.binary import BinarySynapses, effective_weight


def as_array(tensor: Tensor) -> Reals:
    """A tensor as a float64 array of its own."""
    return tensor.detach().cpu().to(torch.float64).numpy().copy()


def check_finite(name: str, *arrays: Reals) -> None:
    """Raise ModelError, naming the layer, if an array holds NaN or infinity."""
    for array in arrays:
        bad = array[~np.isfinite(array)]
        if bad.size:
            raise ModelError(f"Parameters of layer {name!r} must be finite, but hold {bad[0]}")


def synapses(node: Node) -> tuple[Reals, Reals]:
    """Weight (targets, sources / groups, ...) and bias (targets,) of a dense layer or convolution."""
    layer = cast(torch.nn.Linear | Conv2d, node.module)
    check_finite(node.name, as_array(layer.weight))
    weight = as_array(effective_weight(layer))
    bias = np.zeros(len(weight)) if layer.bias is None else as_array(layer.bias)
    check_finite(node.name, weight, bias)
    return weight, bias


def is_binary(node: Node) -> bool:
    """Whether a layer's weights were trained with one bit."""
    return isinstance(node.module, BinarySynapses)


def batch_norm(node: Node) -> tuple[Reals, Reals, Reals]:
    """Gain, mean and offset of a batch norm in eval mode, `gain · (x - mean) + offset`."""
    norm = cast(torch.nn.BatchNorm1d, node.module)
    if norm.running_mean is None or norm.running_var is None:
        raise ModelError(
            f"Batch norm {node.name!r} must keep running statistics, but has track_running_stats=False"
        )
    ones, zeros = np.ones(norm.num_features), np.zeros(norm.num_features)
    mean, variance = as_array(norm.running_mean), as_array(norm.running_var)
    gain = batch_norm_gain(ones if norm.weight is None else as_array(norm.weight), variance, norm.eps)
    offset = zeros if norm.bias is None else as_array(norm.bias)
    check_finite(node.name, variance, gain, mean, offset)
    return gain, mean, offset


def spiking_neuron(node: Node, steps: int) -> tuple[FoldedNeuron, Reals]:
    """Parameters of a neuron layer, and the scale (T or 1, channels) of the levels it emits."""
    neuron = cast(SpikingNeuron, node.module)
    if neuron.levels is None:
        raise ModelError(
            f"Neuron {node.name!r} must have levels, not real-valued spikes (bits=None): they need a "
            "multiplier; give it bits, as spikefold.nn.ReverB(bits=4), and train on"
        )
    if neuron.steps != steps:
        raise ModelError(f"Neuron {node.name!r} must have the input's {steps} time steps, not {neuron.steps}")
    threshold, scale = as_array(neuron.threshold), as_array(neuron.scale)
    check_finite(node.name, threshold, scale)
    smallest = min(threshold.min(), scale.min())
    if smallest <= 0:
        raise ModelError(f"Scale of neuron {node.name!r} must be above 0, not {smallest}")
    folded = FoldedNeuron(
        merge_steps(threshold),
        neuron.levels,
        cast(Rounding, neuron.rounding),
        cast(Reset, neuron.reset_mode),
        neuron.leak,
        neuron.factor,
        neuron.fire_floor,
    )
    return folded, merge_steps(scale)
