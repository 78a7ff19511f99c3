"""Trainable networks of integer-spike neurons, as PyTorch modules.

Tensors carry a leading time axis, [T, B, features...]. A model is a ``Sequential`` or any module made of
these layers, from ``Input`` to ``Readout``.
"""

from spikefold.nn import functional, models
from spikefold.nn.files import check_weights, load, read_meta, save
from spikefold.nn.functional import encode_levels, fire_levels, pit_step, round_half_up, step, three_sigma
from spikefold.nn.graph import Node, graph
from spikefold.nn.layers import BatchNorm, Dense, Dropout, Flatten, Input, Readout, Sequential
from spikefold.nn.neurons import ILIF, LIF, PIT, SpikingNeuron

__all__ = [
    "ILIF",
    "LIF",
    "PIT",
    "BatchNorm",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "Node",
    "Readout",
    "Sequential",
    "SpikingNeuron",
    "check_weights",
    "encode_levels",
    "fire_levels",
    "functional",
    "graph",
    "load",
    "models",
    "pit_step",
    "read_meta",
    "round_half_up",
    "save",
    "step",
    "three_sigma",
]
