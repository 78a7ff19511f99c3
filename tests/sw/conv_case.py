"""A small convolutional network, and its levels on random samples."""

from functools import partial

import numpy as np
from random_networks import random_weight

from spikefold.golden import Golden
from spikefold.ir import Add, Conv, Dense, Identity, Input, Network, Neuron, Pool, Population

CLASSES = 5


def spiking(rng, name, projections, levels=3, steps=1):
    channels = projections[0].targets
    threshold = rng.integers(15, 40, (1, channels))
    return Population(name, tuple(projections), np.zeros((1, channels), int), 0, Neuron(levels, threshold))


def convolution(rng, source, targets, sources, kernel=3, stride=1, groups=1, bits=4):
    weight = random_weight(rng, bits, (1, targets, sources // groups, kernel, kernel))
    return Conv(source, weight, bits, (stride, stride), (kernel // 2, kernel // 2), groups)


def conv_network(seed=0, steps=1, static=True, bits=4):
    """Stem, a residual block with an identity, a strided block of two windows, a pool, a sum, a readout."""
    rng = np.random.default_rng(seed)
    conv = partial(convolution, rng, bits=bits)
    stages = (
        spiking(rng, "layer0", [conv("input", 16, 3)]),
        spiking(rng, "layer1", [conv("layer0", 16, 16)]),
        spiking(
            rng,
            "layer2",
            [conv("layer1", 16, 16), Identity("layer0", random_weight(rng, 8, (1, 16)), 8)],
        ),
        Add("sum0", ("layer1", "layer2")),
        spiking(rng, "layer3", [conv("sum0", 24, 16, stride=2, groups=2), conv("layer2", 24, 16, 1, 2)]),
        Pool("pool0", "layer3", "sum", (2, 2), (2, 2)),
        Population(
            "readout",
            (Dense("pool0", random_weight(rng, 4, (1, CLASSES, 24 * 4)), 4),),
            np.zeros((1, CLASSES), int),
        ),
    )
    return Network(Input((3, 8, 8), 15, static), steps, stages)


def levels_of(network, samples=3, seed=1, density=0.7):
    rng = np.random.default_rng(seed)
    shape = (samples, *network.input.sample_shape(network.steps))
    x = rng.integers(0, network.input.levels + 1, shape) * (rng.random(shape) < density)
    x = network.input.encode(x, network.steps)
    return {"input": x, **Golden(network).run(x, record=True).levels}
