"""Networks whose plans are looked at, and changes of them."""

from dataclasses import replace

import numpy as np
from random_networks import chain_network, random_weight

from spikefold.ir import Add, Conv, Dense, Identity, Input, Network, Neuron, Pool, Population

LANES = {"layer0": 4, "readout": 2}
"""Lanes of `narrow`."""


def changed(network, name="layer0", **fields):
    """The network with other fields of one population."""
    stages = tuple(replace(stage, **fields) if stage.name == name else stage for stage in network.stages)
    return replace(network, stages=stages)


def changed_neuron(network, **fields):
    """The network with other fields of its first neuron."""
    return changed(network, neuron=replace(network.populations[0].neuron, **fields))


def narrow(**options):
    """A small network whose numbers have room in the plan of `roomy`."""
    return chain_network(np.random.default_rng(0), bits=4, **options)


def block(**changes):
    """A residual block of every kind of stage over a map of 4x5x6."""
    rng = np.random.default_rng(5)
    neuron = Neuron(3, rng.integers(20, 90, (1, 4)))
    options = {"stride": (1, 1), "padding": (1, 1)}

    def conv(source, channels, targets, bits=4, **more):
        shape = (1, targets, channels, 3, 3)
        return Conv(source, random_weight(rng, bits, shape), bits, **options | more)

    def layer(name, *projections, channels=4):
        kind = replace(neuron, threshold=np.resize(neuron.threshold, (1, channels)))
        return Population(name, projections, np.zeros((1, channels), int), 2, kind)

    stages = (
        layer("one", conv("input", 2, 4, groups=2)),
        layer("two", conv("one", 4, 4, 8), Identity("input", rng.integers(-99, 99, (1, 4)), 8)),
        layer("depth", conv("two", 1, 8, groups=4), conv("one", 2, 8, groups=2), channels=8),
        Pool("pool", "depth", "sum", (2, 3), (2, 2), (1, 0)),
        Pool("most", "pool", "max", (2, 2), (1, 1)),
        Add("sum", ("most", "most")),
        Population("readout", (Dense("sum", random_weight(rng, 4, (1, 6, 16)), 4),), np.zeros((1, 6), int)),
    )
    return replace(Network(Input((4, 5, 6), 9), 2, stages), **changes)


BLOCK_LANES = {"one": 4, "two": 3, "depth": 5, "readout": 4}
"""Lanes of `block`."""


def skipped(source, channels):
    """An identity projection of small weights."""
    return Identity(source, np.ones((1, channels), int), 2)


def fits_in(values, bits):
    """Whether all values are two's complement numbers of so many bits."""
    return all(-(1 << (bits - 1)) <= v < 1 << (bits - 1) for v in np.ravel(values).tolist())
