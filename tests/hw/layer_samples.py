"""Small networks, and from them the profile and the memory contents that one component needs."""

from dataclasses import dataclass

import numpy as np

from spikefold.ir import Input, LayerProfile, Network, Neuron, Population, Projection, ShiftSum, profile_of
from spikefold.ir.words import memory_words


@dataclass(frozen=True)
class Sample:
    """A layer cut out of a network."""

    network: Network
    profile: LayerProfile
    contents: dict[str, list[int]]

    @property
    def population(self) -> Population:
        return self.network.by_name[self.profile.name]

    @property
    def window(self):
        (window,) = self.profile.windows
        return window


def random_weight(rng, bits, shape):
    """Weights over the full range; one bit: -1 and +1."""
    if bits == 1:
        return rng.choice([-1, 1], shape)
    return rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape)


def contents_of(network, profile):
    """Rows of every memory by name."""
    return {
        name: words for layer in profile.layers for name, (_, words) in memory_words(network, layer).items()
    }


def sample_layer(
    weight,
    bits,
    *,
    levels=4,
    steps=1,
    static=True,
    lanes=4,
    coding="binary",
    bias=None,
    fraction=0,
    neuron=None,
):
    """The layer with this weight, (sets, channels, inputs); without a neuron it is the readout."""
    weight = np.asarray(weight)
    channels = weight.shape[1]
    bias = np.zeros((1, channels), int) if bias is None else np.asarray(bias)
    layer = Population("layer", (Projection("input", weight, bits),), bias, fraction, neuron)
    populations = [layer]
    if neuron is not None:
        last = Projection("layer", np.ones((1, 1, channels), int), 1)
        populations.append(Population("readout", (last,), np.zeros((1, 1), int)))
    network = Network(Input((weight.shape[2],), levels, static), steps, tuple(populations))
    profile = profile_of(network, {p.name: lanes for p in populations}, {"input": coding})
    return Sample(network, profile.layers[0], contents_of(network, profile))


def random_levels(rng, largest, shape):
    """Levels of positions, (positions, inputs), from empty to full."""
    levels = rng.integers(0, largest + 1, shape)
    return levels * (rng.random(shape) < rng.random((shape[0], 1)))


def random_shifts(rng, most=3):
    """A leak or reset factor of up to `most` signed terms."""
    count = int(rng.integers(0, most + 1))
    return ShiftSum(tuple((int(rng.choice([-1, 1])), int(rng.integers(0, 5))) for _ in range(count)))


def random_neuron(rng, channels, steps, reach):
    """A neuron with any of the features of spec section 4, for currents of about `reach`."""
    reset = str(rng.choice(["subtract", "zero", "scale", "none"]))
    threshold = np.exp(rng.uniform(0, np.log(reach), (rng.choice([1, steps]), channels)))
    return Neuron(
        int(rng.choice([1, 2, 3, 4, 5, 15])),
        np.maximum(threshold.astype(np.int64), 1),
        rounding=str(rng.choice(["half_up", "floor"])),
        reset=reset,
        leak=random_shifts(rng),
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
        populations.append(Population(name, (Projection(source, weight, bits),), bias, fraction, neuron))
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
