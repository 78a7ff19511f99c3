"""Spiking neuron layers: LIF, I-LIF, PIT, QB-LIF and ReverB, one code path over time."""

from spikefold.nn.neurons.base import MAX_LEVELS, SpikingNeuron
from spikefold.nn.neurons.ilif import ILIF
from spikefold.nn.neurons.leaky import Leaky
from spikefold.nn.neurons.lif import LIF
from spikefold.nn.neurons.pit import PIT, tie_scales
from spikefold.nn.neurons.qblif import QBLIF
from spikefold.nn.neurons.reverb import ReverB

__all__ = ["ILIF", "LIF", "MAX_LEVELS", "PIT", "QBLIF", "Leaky", "ReverB", "SpikingNeuron", "tie_scales"]
