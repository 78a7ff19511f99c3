"""The integer network: what golden model, gateware, memory images and cycle model all read.

Numpy only. `docs/ir.md` specifies the format.
"""

from spikefold.ir.bounds import Bounds, population_bounds
from spikefold.ir.input import Input
from spikefold.ir.maps import Map, Window
from spikefold.ir.network import Network
from spikefold.ir.neuron import Neuron, ShiftSum, ShiftSums
from spikefold.ir.projections import Conv, Dense, Identity, Projection
from spikefold.ir.stages import Add, Pool, Population
from spikefold.ir.storage import load_network, save_network

__all__ = [
    "Add",
    "Bounds",
    "Conv",
    "Dense",
    "Identity",
    "Input",
    "Map",
    "Network",
    "Neuron",
    "Pool",
    "Population",
    "Projection",
    "ShiftSum",
    "ShiftSums",
    "Window",
    "load_network",
    "population_bounds",
    "save_network",
]
