"""Trainable networks of integer-spike neurons, as PyTorch modules.

Tensors carry a leading time axis, [T, B, features...] or [T, B, channels, height, width]. A model is a
``Sequential`` or any module made of these layers and their sums, from ``Input`` to ``Readout``.
"""

from spikefold.nn import functional, models
from spikefold.nn.binary import BinaryConv2d, BinaryDense
from spikefold.nn.containers import Residual, Sequential
from spikefold.nn.convolution import Conv2d
from spikefold.nn.dag import Graph
from spikefold.nn.files import check_weights, load, read_meta, save
from spikefold.nn.functional import encode_levels, fire, fire_levels, round_half_up, step, three_sigma
from spikefold.nn.graph import Node, graph
from spikefold.nn.input import Input
from spikefold.nn.layers import Add, BatchNorm, Dense, Dropout, Flatten, Readout
from spikefold.nn.neurons import ILIF, LIF, PIT, QBLIF, Leaky, ReverB, SpikingNeuron, tie_scales
from spikefold.nn.pooling import AvgPool2d, GlobalAvgPool, MaxPool2d
from spikefold.nn.reparameterize import reparameterize
from spikefold.nn.rounding import Rounding, leak_terms_of, remember_leak_terms, remember_rounding, rounding_of

__all__ = [
    "ILIF",
    "LIF",
    "PIT",
    "QBLIF",
    "Add",
    "AvgPool2d",
    "BatchNorm",
    "BinaryConv2d",
    "BinaryDense",
    "Conv2d",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAvgPool",
    "Graph",
    "Input",
    "Leaky",
    "MaxPool2d",
    "Node",
    "Readout",
    "Residual",
    "ReverB",
    "Rounding",
    "Sequential",
    "SpikingNeuron",
    "check_weights",
    "encode_levels",
    "fire",
    "fire_levels",
    "functional",
    "graph",
    "leak_terms_of",
    "load",
    "models",
    "read_meta",
    "remember_leak_terms",
    "remember_rounding",
    "reparameterize",
    "round_half_up",
    "rounding_of",
    "save",
    "step",
    "three_sigma",
    "tie_scales",
]
