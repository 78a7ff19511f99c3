"""The integer network: what golden model, gateware, memory images and cycle model all read.

Numpy only. `docs/ir.md` specifies the format.
"""

from spikefold.ir.bounds import Bounds, population_bounds
from spikefold.ir.network import Input, Network, Population, Projection
from spikefold.ir.neuron import Neuron, ShiftSum
from spikefold.ir.profile import LayerProfile, Profile, fit, profile_of
from spikefold.ir.storage import load_network, save_network

__all__ = [
    "Bounds",
    "Input",
    "LayerProfile",
    "Network",
    "Neuron",
    "Population",
    "Profile",
    "Projection",
    "ShiftSum",
    "fit",
    "load_network",
    "population_bounds",
    "profile_of",
    "save_network",
]
