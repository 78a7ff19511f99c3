"""Random designs over everything that shapes hardware: graphs, sizes, T, D, neurons, lanes, codings."""

from math import gcd
from typing import get_args

import numpy as np
from random_networks import aside, random_graph

from spikefold.design import Design
from spikefold.ir import Dense, Input, Network, Neuron, Population, ShiftSum, ShiftSums
from spikefold.ir.coding import CODINGS
from spikefold.ir.neuron import Rounding
from spikefold_hw.order import ORDERS
from spikefold_hw.streaming.layer.shape import LayerShape
from spikefold_hw.streaming.planning import plan_of

SAMPLES = 8
MOST_CYCLES = 3000


def _shifts(rng, most=3):
    terms = [(int(rng.choice([-1, 1])), int(rng.integers(0, 5))) for _ in range(rng.integers(0, most + 1))]
    return ShiftSum(tuple(terms))


def _leak(rng, channels):
    """Of all channels or, a third of the time, of each; draws from `rng` as where there was one alone."""
    own, one = aside(rng), _shifts(rng)
    return one if own.random() < 2 / 3 else ShiftSums(tuple(_shifts(own) for _ in range(channels)))


def _neuron(rng, channels, steps):
    reset = str(rng.choice(["subtract", "zero", "scale", "none"]))
    rows = steps if rng.random() < 0.5 else 1
    return Neuron(
        levels=int(rng.choice([1, 2, 3, 4, 5, 15])),
        threshold=rng.integers(1, 1 + int(rng.choice([5, 400, 4000])), (rows, channels)),
        rounding=str(rng.choice(get_args(Rounding))),
        reset=reset,
        leak=_leak(rng, channels),
        factor=_shifts(rng) if reset == "scale" else None,
        fire_floor=rng.integers(-50, 400, channels) if rng.random() < 0.3 else None,
        membrane_bits=int(rng.integers(6, 12)) if rng.random() < 0.3 else None,
    )


def _population(rng, name, source, inputs, channels, steps, readout):
    bits = int(rng.integers(1, 9))
    sets = steps if rng.random() < 0.5 else 1
    shape = (sets, channels, inputs)
    low = -(1 << (bits - 1))
    weight = rng.choice([-1, 1], shape) if bits == 1 else rng.integers(low, -low, shape)
    bias = rng.integers(-200, 200, (steps if rng.random() < 0.5 else 1, channels))
    neuron = None if readout else _neuron(rng, channels, steps)
    return Population(name, (Dense(source, weight, bits),), bias, int(rng.integers(0, 4)), neuron)


def random_design(seed):
    """A chain of one to three layers, and samples for it that hold the corners."""
    rng = np.random.default_rng(seed)
    steps = int(rng.choice([1, 1, 2, 3]))
    static = bool(rng.random() < 0.5)
    inputs = int(rng.choice([1, 3, 20]))
    levels = int(rng.choice([1, 3, 16]))
    populations, source, width = [], "input", inputs
    for k in range(rng.integers(0, 3)):
        channels = int(rng.integers(1, 14))
        populations.append(_population(rng, f"layer{k}", source, width, channels, steps, readout=False))
        source, width = f"layer{k}", channels
    classes = int(rng.integers(1, 7))
    populations.append(_population(rng, "readout", source, width, classes, steps, readout=True))
    network = Network(Input((inputs,), levels, static), steps, tuple(populations), f"random{seed}")
    lanes = {name: int(rng.integers(1, 9)) for name in network.by_name}
    coding = {name: str(rng.choice(CODINGS)) for name in ("input", *list(network.by_name)[:-1])}
    design = Design(network, plan_of(network, lanes, coding))
    return design, _samples(rng, network)


def _samples(rng, network, samples=SAMPLES):
    """Levels from nearly silent to full, one sample all silent and one all at the maximum."""
    shape = (samples, *network.input.sample_shape(network.steps))
    x = rng.integers(0, network.input.levels + 1, shape)
    x *= rng.random(shape) < rng.random((samples, *[1] * (len(shape) - 1)))
    x[samples // 4], x[samples // 2] = 0, network.input.levels
    return x


def random_graph_design(seed, samples=3):
    """A random graph with random lanes, drains, codings and order of time, and samples for it.

    Of those drawn, the first that Amaranth's simulator can run in a few seconds.
    """
    rng = np.random.default_rng(seed)
    while True:
        network = random_graph(rng, stages=5, neurons=90, edge=5, channels=5)
        design = Design(network, _graph_plan(rng, network))
        x = _samples(rng, network, samples)
        if design.cycles(x).total <= MOST_CYCLES:
            return design, x


def _graph_plan(rng, network):
    order = str(rng.choice(ORDERS))
    lanes = {p.name: int(rng.integers(1, 9)) for p in network.populations}
    sources = sorted({q.source for p in network.populations for q in p.projections})
    coding = {name: str(rng.choice(CODINGS)) for name in sources}
    plain = plan_of(network, lanes, coding, order)
    units = {layer.name: _units(rng, layer) for layer in plain.layers}
    return plan_of(network, lanes, coding, order, units, loaded=bool(rng.random() < 0.2))


def _units(rng, layer: LayerShape):
    most = gcd(layer.lanes, layer.blocks.group_channels)
    return int(rng.choice([q for q in range(1, most + 1) if most % q == 0]))
