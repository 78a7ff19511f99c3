"""Random integer networks over the full range of every parameter."""

from math import gcd
from typing import get_args

import numpy as np
from scalar_reference import floor_div, scalar_run

from spikefold.ir import (
    Add,
    Conv,
    Dense,
    Identity,
    Input,
    Map,
    Network,
    Neuron,
    Pool,
    Population,
    ShiftSum,
    ShiftSums,
)
from spikefold.ir.maps import Window
from spikefold.ir.neuron import Rounding

__all__ = [
    "LEAKS",
    "LEAK_NAMES",
    "aside",
    "chain_network",
    "floor_div",
    "random_graph",
    "random_graph_levels",
    "random_levels",
    "random_network",
    "random_population",
    "random_weight",
    "scalar_run",
]

LEAKS = {
    "unity": ShiftSum(((1, 0),)),
    "half": ShiftSum(((1, 1),)),
    "mixed": ShiftSum(((1, 0), (-1, 3), (1, 7))),
    "negative": ShiftSum(((-1, 1),)),
    "none": ShiftSum(()),
}

LEAK_NAMES = (*LEAKS, "each")
"""Leaks of one factor, and "each": a factor of each channel."""


def aside(rng):
    """A generator that follows from another's state and leaves that alone, so that it draws as ever."""
    return np.random.default_rng(rng.bit_generator.state["state"]["state"])


def leak_of(rng, name, channels):
    """The leak of that name; of each channel one of `LEAKS`, or up to three random terms."""
    if name != "each":
        return LEAKS[name]
    own = aside(rng)
    return ShiftSums(tuple(_random_leak(own) for _ in range(channels)))


def _random_leak(rng):
    if rng.random() < 0.4:
        return LEAKS[str(rng.choice(list(LEAKS)))]
    terms = [(int(rng.choice([-1, 1])), int(rng.integers(0, 9))) for _ in range(rng.integers(1, 4))]
    return ShiftSum(tuple(terms))


def random_weight(rng, bits, shape):
    """Weights over the full range; one bit: -1 and +1."""
    if bits == 1:
        return rng.choice([-1, 1], shape)
    return rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape)


def random_neuron(rng, channels, steps, reach, *, levels, reset, rounding, fire_floor, leak, membrane_bits):
    """Thresholds from 1 to far beyond `reach`, the largest current."""
    rows = rng.choice([1, steps])
    threshold = np.exp(rng.uniform(0, np.log(reach + 2), (rows, channels))).astype(np.int64)
    floors = rng.integers(-reach // 4, reach, channels) if fire_floor else None
    if floors is not None:
        floors[::3] = 0  # as ReverB has it: fires at level 0 too
    return Neuron(
        levels=levels,
        threshold=np.maximum(threshold, 1),
        rounding=rounding,
        reset=reset,
        leak=leak_of(rng, leak, channels),
        factor=list(LEAKS.values())[channels % len(LEAKS)] if reset == "scale" else None,
        fire_floor=floors,
        membrane_bits=membrane_bits,
    )


def random_population(rng, name, projections, levels, steps, neuron):
    """A population on projections; `levels` are those of their sources, `neuron` random_neuron's options."""
    fraction = int(rng.integers(0, 4))
    channels = projections[0].targets
    reach = sum(int(abs(p.flat).sum(axis=2).max()) * levels[p.source] for p in projections)
    reach = (reach << fraction) + 1
    bias = rng.integers(-reach // 4, reach // 4 + 1, (rng.choice([1, steps]), channels))
    body = neuron and random_neuron(rng, channels, steps, reach, **neuron)
    return Population(name, tuple(projections), bias, fraction, body)


def _dense(rng, sources, channels, sets, bits):
    """Dense projections from a dict of source name: (size, levels)."""
    return [
        Dense(source, random_weight(rng, bits, (sets, channels, size)), bits)
        for source, (size, _) in sources.items()
    ]


def random_network(
    rng, *, steps=2, sets=1, bits=4, input_levels=16, static=True, size=5, channels=6, **neuron
):
    """Two spiking dense populations, the second and the readout with two projections each."""
    neuron = _PLAIN | neuron
    levels = {"input": input_levels, "first": neuron["levels"], "second": neuron["levels"]}
    sizes = {"input": size, "first": channels, "second": channels + 1}

    def population(name, sources, count, body):
        found = {source: (sizes[source], levels[source]) for source in sources}
        return random_population(rng, name, _dense(rng, found, count, sets, bits), levels, steps, body)

    return Network(
        Input((size,), input_levels, static),
        steps,
        (
            population("first", ["input"], channels, neuron),
            population("second", ["first", "input"], channels + 1, neuron),
            population("readout", ["second", "first"], 3, None),
        ),
    )


_PLAIN = {
    "levels": 4,
    "reset": "subtract",
    "rounding": "half_up",
    "fire_floor": False,
    "leak": "unity",
    "membrane_bits": None,
}


def chain_network(
    rng, *, steps=2, sets=1, bits=4, size=5, channels=(6,), input_levels=16, static=True, **neuron
):
    """A chain of spiking dense populations and a readout."""
    options = _PLAIN | neuron
    source, populations = {"input": (size, input_levels)}, []
    for k, count in enumerate((*channels, 3)):
        last = k == len(channels)
        name = "readout" if last else f"layer{k}"
        levels = {key: top for key, (_, top) in source.items()}
        projections = _dense(rng, source, count, sets, bits)
        body = None if last else options
        populations.append(random_population(rng, name, projections, levels, steps, body))
        source = {name: (count, options["levels"])}
    return Network(Input((size,), input_levels, static), steps, tuple(populations))


def random_levels(rng, network, samples):
    """Random input levels, the first two samples all zero and all at the maximum (but for any padding)."""
    shape = network.input.sample_shape(network.steps)
    levels = rng.integers(0, network.input.levels + 1, (samples, *shape))
    levels[0] = 0
    levels[1:2] = network.input.levels
    return network.input.encode(levels, network.steps)


def random_graph_levels(rng, network, samples):
    """As random_levels, the others from nearly silent to full."""
    shape = network.input.sample_shape(network.steps)
    levels = rng.integers(0, network.input.levels + 1, (samples, *shape))
    density = rng.random((samples,) + (1,) * len(shape))
    levels *= rng.random(levels.shape) < density
    levels[0] = 0
    levels[1:2] = network.input.levels
    return network.input.encode(levels, network.steps)


def random_graph(
    rng, *, stages=6, neurons=200, edge=6, channels=6, steps=None, static=None, levels=(1, 2, 3, 4, 5, 15)
):
    """A random graph of convolutions, dense populations, pools, sums and joins.

    Parameters
    ----------
    stages, neurons, edge, channels
        The most stages before the readout, neurons of a stage, rows or columns of the input, its channels.
    steps, static
        As `Network.steps` and `Input.static`; drawn if None.
    levels
        What a neuron's `D` is drawn from.
    """
    steps = int(rng.integers(1, 5)) if steps is None else steps
    graph = _Graph(rng, steps, neurons, levels)
    first = graph.input(edge, channels, bool(rng.integers(2)) if static is None else static)
    kinds = [graph.conv, graph.residual, graph.pool, graph.add, graph.dense]
    for _ in range(rng.integers(1, stages + 1)):
        kinds[rng.choice(5, p=[0.4, 0.2, 0.18, 0.12, 0.1])]()
    graph.readout()
    return Network(first, steps, tuple(graph.stages))


class _Graph:
    """The stages so far, with map and largest level of every source.

    A drawing method may add nothing: where no source fits, or its map would be too large.
    """

    def __init__(self, rng, steps, neurons, levels):
        self.rng, self.steps, self.neurons, self.choices = rng, steps, neurons, levels
        self.stages, self.maps, self.levels, self.flat = [], {}, {}, False

    def input(self, edge, channels, static):
        rng, top = self.rng, int(self.rng.choice([1, 3, 16, 40, 255]))
        self.flat = rng.random() < 0.1
        shape = tuple(int(n) for n in rng.integers(1, (channels + 1, edge + 1, edge + 1)))
        if self.flat:
            shape = shape[:1]
        padding = (
            tuple(int(n) for n in rng.integers(0, 3, 2)) if rng.random() < 0.25 and not self.flat else (0, 0)
        )
        pads = tuple(int(n) for n in rng.integers(0, top + 1, shape[0])) if any(padding) else ()
        source = Input(shape, top, static, padding=padding, pad_levels=pads)
        self.maps["input"], self.levels["input"] = Map(*source.levels_shape), top
        return source

    def source(self):
        """Any source of a window, more often a late one; None if there is none."""
        names = list(self.maps)[int(self.flat) :]
        return names[-1 - int(min(self.rng.geometric(0.6) - 1, len(names) - 1))] if names else None

    def draw_window(self, source):
        """A window over a source; its kernel may be larger than the map without padding."""
        places = []
        for size in (source.height, source.width):
            kernel = int(self.rng.choice([1, 2, 3, 3, 4, 5]))
            least = max(0, -(-(kernel - size) // 2))
            places.append(
                (kernel, int(self.rng.choice([1, 1, 1, 2, 3])), int(self.rng.integers(least, kernel)))
            )
        kernel, stride, padding = zip(*places, strict=True)
        return Window(source, kernel, stride, padding)

    def window_to(self, source, target):
        """A window whose outputs are those of a target map, or None."""
        for _ in range(20):
            window = self.draw_window(source)
            if (window.height, window.width) == (target.height, target.width):
                return window
        return None

    def sets(self):
        return int(self.rng.choice([1, 1, self.steps]))

    def bits(self):
        return int(self.rng.choice([1, 2, 3, 4, 8]))

    def conv_over(self, name, window, targets, groups):
        bits = self.bits()
        shape = (self.sets(), targets, self.maps[name].channels // groups, *window.kernel)
        weight = random_weight(self.rng, bits, shape)
        return Conv(name, weight, bits, window.stride, window.padding, groups)

    def dense_over(self, name, targets):
        bits = self.bits()
        return Dense(name, random_weight(self.rng, bits, (self.sets(), targets, self.maps[name].size)), bits)

    def add_stage(self, stage, target, levels):
        self.stages.append(stage)
        self.maps[stage.name], self.levels[stage.name] = target, levels

    def spiking(self, projections, target):
        rng = self.rng
        kind = {
            "levels": int(rng.choice(self.choices)),
            "reset": str(rng.choice(["subtract", "zero", "scale", "none"])),
            "rounding": str(rng.choice(get_args(Rounding))),
            "fire_floor": bool(rng.random() < 0.3),
            "leak": self.leak(projections[0].targets),
            "membrane_bits": int(rng.integers(8, 20)) if rng.random() < 0.3 else None,
        }
        name = f"layer{len(self.stages)}"
        population = random_population(rng, name, projections, self.levels, self.steps, kind)
        self.add_stage(population, target, kind["levels"])

    def leak(self, channels):
        """The name of a leak; of each channel where there are several, and steps, half of the time."""
        each = channels > 1 and self.steps > 1 and aside(self.rng).random() < 0.5
        one = str(self.rng.choice(list(LEAKS)))
        return "each" if each else one

    def conv(self):
        """A convolution, possibly joined by shortcuts: identities and convolutions from anywhere before."""
        if (name := self.source()) is None:
            return
        source, rng = self.maps[name], self.rng
        window = self.draw_window(source)
        groups = int(rng.choice([g for g in range(1, source.channels + 1) if source.channels % g == 0]))
        wanted = [source.channels] if rng.random() < 0.4 else []
        targets = int(rng.choice(wanted or [groups * k for k in (1, 2, 3)]))
        target = Map(targets, window.height, window.width)
        if target.size > self.neurons:
            return
        projections = [self.conv_over(name, window, targets, groups)]
        for other in list(self.maps)[self.flat :]:
            if rng.random() < 0.3 and len(projections) < 3:
                projections += self.shortcut(other, target, groups)
        rng.shuffle(projections)
        self.spiking(projections, target)

    def shortcut(self, name, target, groups):
        """An identity or a convolution of as many, or fitting, groups; none if the maps do not match."""
        source = self.maps[name]
        if source == target and self.rng.random() < 0.6:
            bits = self.bits()
            return [Identity(name, random_weight(self.rng, bits, (self.sets(), target.channels)), bits)]
        window = self.window_to(source, target)
        common = gcd(source.channels, groups)
        return [self.conv_over(name, window, target.channels, common)] if window is not None else []

    def residual(self):
        """A convolution back onto the map of an earlier source, joined by an identity."""
        if (name := self.source()) is None:
            return
        target, last = self.maps[name], list(self.maps)[-1]
        start = last if self.rng.random() < 0.5 and not (self.flat and last == "input") else name
        window = self.window_to(self.maps[start], target)
        if window is not None and target.size <= self.neurons:
            common = gcd(self.maps[start].channels, target.channels)
            groups = int(self.rng.choice([1, common]))
            projections = [self.conv_over(start, window, target.channels, groups)]
            self.spiking(projections + self.shortcut(name, target, groups), target)

    def dense(self):
        name, targets = str(self.rng.choice(list(self.maps))), int(self.rng.integers(1, 10))
        self.spiking([self.dense_over(name, targets)], Map(targets))

    def pool(self):
        if (name := self.source()) is None:
            return
        window, pooling = self.draw_window(self.maps[name]), str(self.rng.choice(["sum", "max"]))
        pool = Pool(f"pool{len(self.stages)}", name, pooling, window.kernel, window.stride, window.padding)
        if pool.levels([self.levels[name]]) <= 255:
            self.add_stage(
                pool,
                window.map._replace(height=window.height, width=window.width),
                pool.levels([self.levels[name]]),
            )

    def add(self):
        """A sum of two sources of one map, perhaps of one source with itself."""
        names = list(self.maps)[int(self.flat) :]
        pairs = [
            (a, b)
            for a in names
            for b in names
            if self.maps[a] == self.maps[b] and self.levels[a] + self.levels[b] <= 255
        ]
        if pairs:
            a, b = pairs[self.rng.integers(len(pairs))]
            self.add_stage(
                Add(f"sum{len(self.stages)}", (a, b)), self.maps[a], self.levels[a] + self.levels[b]
            )

    def readout(self):
        """Dense over everything that nobody reads, so that all of it counts."""
        read = {p.source for s in self.stages for p in getattr(s, "projections", ())}
        read |= {
            source for s in self.stages for source in getattr(s, "sources", (getattr(s, "source", None),))
        }
        ends = [name for name in self.maps if name not in read]
        projections = [self.dense_over(name, 3) for name in ends]
        self.stages.append(random_population(self.rng, "readout", projections, self.levels, self.steps, None))
