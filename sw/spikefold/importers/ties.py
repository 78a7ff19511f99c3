"""Membranes at which rounding rules part."""

from typing import NamedTuple

import torch
from torch import Tensor

from spikefold.nn import SpikingNeuron
from spikefold.nn.functional import State, step


class Ties(NamedTuple):
    """How many there are, and for how many of them the source gives another level."""

    all: int
    apart: int


def count_ties(neuron: SpikingNeuron, current: Tensor, *, strict: bool = False) -> Ties:
    """Ties among the membranes of a neuron layer that reads `current` [T, B, C, ...].

    They lie half-way between two levels, where half up and half to even part; with `strict` they are those at
    the threshold of a neuron of one level, which fires there, while the source does not.
    """
    axes = (1,) * (current.dim() - 3)
    threshold = neuron.threshold.reshape(*neuron.threshold.shape, *axes)
    dynamics, state = neuron._dynamics(current[0]), None
    ties = apart = 0
    for t in range(neuron.steps):
        _, state = step(current[t], state, threshold[t], dynamics)
        assert isinstance(state, State)
        if strict:
            floor = threshold[t] if neuron.fire_floor is None else neuron.fire_floor
            ties += int((state.u == floor).sum())
            continue
        places = state.u / threshold[t]
        below = torch.floor(places)
        tie = (places - below == 0.5) & (below >= 0) & (below < neuron.levels)
        ties += int(tie.sum())
        apart += int((tie & (below % 2 == 0)).sum())
    return Ties(ties, ties if strict else apart)
