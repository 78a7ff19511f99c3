"""The spiking neuron as pure functions of tensors, without hidden state.

Symbols are PIT's: ``u`` membrane after charging, ``a`` membrane distance between two levels (the diagonal
of ``A_t``; QB-LIF's gamma), ``D`` largest level, ``v`` membrane after reset, ``s`` emitted value ``a * n`` of
level ``n``, ``x = u / a``. Papers: PIT, "Advancing Spatiotemporal Representations in Spiking Neural Networks
via Parametric Invertible Transformation" (ICLR 2026); QB-LIF, "Quantized Burst-LIF"; ReverB, "ReverB-SNN:
Reversing Bit of the Weight and Activation for Spiking Neural Networks" (ICML 2025).
"""

from spikefold.nn.functional.firing import damp, fire, revalue
from spikefold.nn.functional.levels import NEAREST, ROUNDINGS, encode_levels, fire_levels, round_half_up
from spikefold.nn.functional.logarithms import from_log
from spikefold.nn.functional.statistics import FLOOR, min_max, three_sigma, upper_three_sigma
from spikefold.nn.functional.steps import RESETS, Dynamics, State, charge, membrane, step
from spikefold.nn.functional.surrogates import SURROGATES, slope

__all__ = [
    "FLOOR",
    "NEAREST",
    "RESETS",
    "ROUNDINGS",
    "SURROGATES",
    "Dynamics",
    "State",
    "charge",
    "damp",
    "encode_levels",
    "fire",
    "fire_levels",
    "from_log",
    "membrane",
    "min_max",
    "revalue",
    "round_half_up",
    "slope",
    "step",
    "three_sigma",
    "upper_three_sigma",
]
