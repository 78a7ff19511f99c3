"""Small networks, and from them the shapes and the memory contents that one component needs."""

from dataclasses import dataclass
from typing import get_args

import numpy as np
from amaranth.hdl import Array, Module, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from random_networks import aside
from stream_bench import pack

from spikefold.ir import Conv, Dense, Identity, Input, Network, Neuron, Population, ShiftSum, ShiftSums
from spikefold.ir.neuron import Rounding
from spikefold_hw.parts.shapes import DrainShape, LanesShape
from spikefold_hw.streaming.layer.shape import LayerShape
from spikefold_hw.streaming.planning import plan_of
from spikefold_hw.streams import connect


@dataclass(frozen=True)
class Sample:
    """A layer cut out of a network, and the rows of all memories by name."""

    network: Network
    layer: LayerShape
    contents: dict[str, list[int]]

    @property
    def population(self) -> Population:
        return self.network.by_name[self.layer.name]

    @property
    def lanes_shape(self) -> LanesShape:
        return self.layer.lanes_shape

    @property
    def drain_shape(self) -> DrainShape:
        return self.layer.drain_shape


def random_weight(rng, bits, shape):
    """Weights over the full range; one bit: -1 and +1."""
    if bits == 1:
        return rng.choice([-1, 1], shape)
    return rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape)


def contents_of(network, plan):
    """Rows of every memory by name."""
    return {name: image.words for stage in plan.stages for name, image in stage.images(network).items()}


def sample_layer(
    weight,
    bits,
    *,
    levels=4,
    steps=1,
    static=True,
    lanes=4,
    units=1,
    coding="binary",
    order=None,
    bias=None,
    fraction=0,
    neuron=None,
    size=None,
    groups=1,
    skips=(),
):
    """The layer with this weight, (sets, channels, inputs); without a neuron it is the readout.

    With a `size` (height, width) the weight is a 1x1 convolution over a map, of (sets, channels, inputs of
    a group). `skips` are identity projections, as (largest level, weight (sets, channels), bits); they
    need a size.
    """
    weight = np.asarray(weight)
    channels, inputs = weight.shape[1], weight.shape[2] * groups

    def project(source, weight, bits):
        groups = inputs // weight.shape[2]
        return (
            Conv(source, weight[..., None, None], bits, groups=groups)
            if size
            else Dense(source, weight, bits)
        )

    one, silent = np.ones((1, channels, inputs), int), np.zeros((1, channels), int)
    stages = [
        Population(
            f"skip{k}", (project("input", one, 1),), silent, 0, Neuron(largest, np.ones((1, channels), int))
        )
        for k, (largest, _, _) in enumerate(skips)
    ]
    projections = [project("input", weight, bits)]
    projections += [Identity(f"skip{k}", skip, width) for k, (_, skip, width) in enumerate(skips)]
    bias = silent if bias is None else np.asarray(bias)
    stages.append(Population("layer", tuple(projections), bias, fraction, neuron))
    if neuron is not None:
        positions = size[0] * size[1] if size else 1
        last = Dense("layer", np.ones((1, 1, channels * positions), int), 1)
        stages.append(Population("readout", (last,), np.zeros((1, 1), int)))
    shape = (inputs, *size) if size else (inputs,)
    network = Network(Input(shape, levels, static), steps, tuple(stages))
    return sample_of(network, "layer", lanes, units, {"input": coding}, order)


def full_range_layer(channels, steps, *, source=15, units=1, size=None, skips=(), **options):
    """A layer as `sample_layer` has it whose sums reach -128·source .. 127·source, with a lane per unit."""
    return sample_layer(
        np.tile([-128, 127], (1, channels, 1)),
        8,
        levels=source,
        steps=steps,
        lanes=units,
        units=units,
        size=size or ((1, 1) if skips else None),
        skips=skips,
        **options,
    )


def sample_of(network, name, lanes, units=1, coding=None, order=None):
    """A layer of a network; all layers have these lanes."""
    names = [population.name for population in network.populations]
    plan = plan_of(network, dict.fromkeys(names, lanes), coding, order, {name: units})
    (layer,) = (layer for layer in plan.layers if layer.name == name)
    return Sample(network, layer, contents_of(network, plan))


def random_shifts(rng, most=3):
    """A leak or reset factor of up to `most` signed terms."""
    count = int(rng.integers(0, most + 1))
    return ShiftSum(tuple((int(rng.choice([-1, 1])), int(rng.integers(0, 5))) for _ in range(count)))


def random_leak(rng, channels):
    """A leak of all channels or, a third of the time, of each; draws from `rng` as for one alone."""
    own, one = aside(rng), random_shifts(rng)
    return one if own.random() < 2 / 3 else ShiftSums(tuple(random_shifts(own) for _ in range(channels)))


def random_neuron(rng, channels, steps, reach):
    """A neuron with any of the features of docs/numerics.md, "The neuron", for currents of about `reach`."""
    reset = str(rng.choice(["subtract", "zero", "scale", "none"]))
    threshold = np.exp(rng.uniform(0, np.log(reach), (rng.choice([1, steps]), channels)))
    return Neuron(
        int(rng.choice([1, 2, 3, 4, 5, 15])),
        np.maximum(threshold.astype(np.int64), 1),
        rounding=str(rng.choice(get_args(Rounding))),
        reset=reset,
        leak=random_leak(rng, channels),
        factor=random_shifts(rng) if reset == "scale" else None,
        fire_floor=rng.integers(-reach // 4, reach // 2, channels) if rng.random() < 0.3 else None,
        membrane_bits=reach.bit_length() + int(rng.choice([-2, 0, 9])) if rng.random() < 0.4 else None,
    )


def random_network(rng, *, steps, static, size=8, hidden=(7, 5), classes=4):
    """Two spiking layers and a readout, every feature and width drawn at random."""
    bits = int(rng.integers(1, 9))
    first = Input((size,), int(rng.choice([1, 3, 16, 40])), static)
    populations, source, inputs, largest = [], "input", size, first.levels
    for k, channels in enumerate((*hidden, classes)):
        weight = random_weight(rng, bits, (rng.choice([1, steps]), channels, inputs))
        fraction = int(rng.integers(0, 4))
        reach = (int(abs(weight).sum(axis=2).mean()) * largest << fraction) // 2 + 8
        neuron = random_neuron(rng, channels, steps, reach) if k < len(hidden) else None
        bias = rng.integers(-reach // 8, reach // 4, (rng.choice([1, steps]), channels))
        name = f"layer{k}" if neuron else "readout"
        populations.append(Population(name, (Dense(source, weight, bits),), bias, fraction, neuron))
        source, inputs, largest = name, channels, neuron.levels if neuron else 0
    return Network(first, steps, tuple(populations))


@dataclass(frozen=True)
class Expected:
    """What a network must do with samples: logits, and totals of events and clipped membranes by layer."""

    logits: np.ndarray
    events: dict[str, int]
    saturations: dict[str, int]


def run_network(network, levels):
    """The network by `Neuron.step`, for levels (samples, presented steps, size)."""
    events = {"input": int((levels > 0).sum())}
    saturations, emitted, logits = {}, {"input": levels}, None
    for p in network.populations:
        (projection,) = p.projections
        source = emitted[projection.source]
        v, fired = np.zeros((len(levels), p.channels), np.int64), np.zeros((len(levels), p.channels), bool)
        out, clipped = [], 0
        for t in range(network.steps):
            total = source[:, min(t, source.shape[1] - 1)] @ projection.at(t).T
            current = (total << p.fraction) + p.bias_at(t)
            if p.neuron is None:
                v = v + current
                continue
            clipped += int(clips(p.neuron, current, v, fired).sum())
            n, v, fired = p.neuron.step(current, v, fired, t)
            out.append(n)
        if p.neuron is None:
            logits = v
        else:
            emitted[p.name] = np.stack(out, 1)
            events[p.name], saturations[p.name] = int((emitted[p.name] > 0).sum()), clipped
    return Expected(logits, events, saturations)


def clips(neuron, current, v, fired):
    """Where the membrane cap clips `u`."""
    u = neuron.leak.apply(v) + current
    if neuron.factor is not None:
        u = np.where(fired, neuron.factor.apply(u), u)
    return neuron.saturate(u) != u


class Fed(wiring.Component):
    """A component with streams `i` and `o`, whose other input streams are fed from lists of beats.

    None in a list is a pause; with `pause` there are random ones too.
    """

    def __init__(self, dut, feeds, rng=None, pause=0.0):
        self._dut = dut
        self._feeds = {}
        for name, beats in feeds.items():
            shape = getattr(dut, name).payload.shape()
            width = Shape.cast(shape).width
            words = []
            for beat in beats:
                words += [0] * (int(rng.geometric(1 - pause)) - 1) if pause else []
                words.append(0 if beat is None else pack(beat, shape) | 1 << width)
            self._feeds[name] = width, words
        members = {"i": In(dut.i.signature.flip()), "o": Out(dut.o.signature)}
        if hasattr(dut, "saturated"):
            members["saturated"] = Out(dut.saturated.shape())
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = self._dut
        connect(m, wiring.flipped(self.i), self._dut.i)
        connect(m, self._dut.o, wiring.flipped(self.o))
        if hasattr(self, "saturated"):
            m.d.comb += self.saturated.eq(self._dut.saturated)
        for name, (width, words) in self._feeds.items():
            place, word = Signal(range(len(words) + 1)), Signal(width + 1)
            stream = getattr(self._dut, name)
            m.d.comb += [
                word.eq(Array([*words, 0])[place]),
                stream.valid.eq(word[-1]),
                Value.cast(stream.payload).eq(word),
            ]
            with m.If((place != len(words)) & (stream.ready | ~stream.valid)):
                m.d.sync += place.eq(place + 1)
        return m
