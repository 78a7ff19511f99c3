"""The integer network: what golden model, gateware, memory images and cycle model all read.

Numpy only. `docs/ir.md` specifies the format.
"""

from spikefold.ir.bounds import Bounds, population_bounds
from spikefold.ir.input import Input
from spikefold.ir.maps import Map, Window
from spikefold.ir.network import Add, Network, Pool, Population
from spikefold.ir.neuron import Neuron, ShiftSum
from spikefold.ir.profile import AddProfile, LayerProfile, PoolProfile, Profile
from spikefold.ir.profiling import fit, profile_of
from spikefold.ir.projections import Conv, Dense, Identity, Projection
from spikefold.ir.storage import load_network, save_network

__all__ = [
    "Add",
    "AddProfile",
    "Bounds",
    "Conv",
    "Dense",
    "Identity",
    "Input",
    "LayerProfile",
    "Map",
    "Network",
    "Neuron",
    "Pool",
    "PoolProfile",
    "Population",
    "Profile",
    "Projection",
    "ShiftSum",
    "Window",
    "fit",
    "load_network",
    "population_bounds",
    "profile_of",
    "save_network",
]
