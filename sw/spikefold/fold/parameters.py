"""Parameters of trained layers as float64 tensors, checked; messages name the layer."""

import math
from typing import cast

import torch
from torch import Tensor

from spikefold.errors import ModelError
from spikefold.fold.folded import FoldedNeuron, Reals
from spikefold.fold.mathematics import batch_norm_gain, merge_steps
from spikefold.ir.maps import Pair
from spikefold.ir.neuron import Reset, Rounding
from spikefold.nn import Conv2d, Node, SpikingNeuron
from spikefold.nn.binary import BinarySynapses, effective_weight

SynapseLayer = torch.nn.Linear | Conv2d
"""A dense layer or convolution, binary ones among them."""


def reals(tensor: Tensor, device: torch.device) -> Reals:
    """A tensor as a float64 tensor of its own, without gradient."""
    return tensor.detach().to(device, torch.float64, copy=True)


def check_finite(name: str, *values: Reals) -> None:
    """Raise ModelError, naming the layer, if a tensor holds NaN or infinity."""
    for tensor in values:
        if math.isfinite(float(tensor.sum())):  # one number tells of most
            continue
        bad = tensor[~torch.isfinite(tensor)]
        if len(bad):
            raise ModelError(f"Parameters of layer {name!r} must be finite, but hold {float(bad[0])}")


def synapses(node: Node, device: torch.device) -> tuple[Reals, Reals]:
    """Weight (targets, sources / groups, ...) and bias (targets,) of a dense layer or convolution."""
    layer = cast(SynapseLayer, node.module)
    if is_binary(node):
        check_finite(node.name, layer.weight.detach())
    weight = reals(effective_weight(layer), device)
    bias = weight.new_zeros(len(weight)) if layer.bias is None else reals(layer.bias, device)
    check_finite(node.name, weight, bias)
    return weight, bias


def is_binary(node: Node) -> bool:
    """Whether a layer's weights were trained with one bit."""
    return isinstance(node.module, BinarySynapses)


def geometry(layer: Conv2d) -> tuple[Pair, Pair, Pair]:
    """Kernel, stride and padding of a convolution."""
    return layer.kernel_size, layer.stride, layer.padding


def batch_norm(node: Node, device: torch.device) -> tuple[Reals, Reals, Reals]:
    """Gain, mean and offset of a batch norm in eval mode, `gain · (x - mean) + offset`."""
    norm = cast(torch.nn.BatchNorm1d, node.module)
    if norm.running_mean is None or norm.running_var is None:
        raise ModelError(
            f"Batch norm {node.name!r} must keep running statistics, but has track_running_stats=False"
        )
    mean, variance = reals(norm.running_mean, device), reals(norm.running_var, device)
    weight = torch.ones_like(mean) if norm.weight is None else reals(norm.weight, device)
    offset = torch.zeros_like(mean) if norm.bias is None else reals(norm.bias, device)
    gain = batch_norm_gain(weight, variance, norm.eps)
    check_finite(node.name, variance, gain, mean, offset)
    return gain, mean, offset


def spiking_neuron(node: Node, steps: int, device: torch.device) -> tuple[FoldedNeuron, Reals]:
    """Parameters of a neuron layer, and the scale (T or 1, channels) of the levels it emits."""
    neuron = cast(SpikingNeuron, node.module)
    if neuron.levels is None:
        raise ModelError(
            f"Neuron {node.name!r} must have levels, not real-valued spikes (bits=None): they need a "
            "multiplier; give it bits, as spikefold.nn.ReverB(bits=4), and train on"
        )
    if neuron.steps != steps:
        raise ModelError(f"Neuron {node.name!r} must have the input's {steps} time steps, not {neuron.steps}")
    threshold, scale = reals(neuron.threshold, device), reals(neuron.scale, device)
    check_finite(node.name, threshold, scale)
    smallest = min(float(threshold.min()), float(scale.min()))
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
