"""Random integer networks over the full range of every parameter, and a scalar reading of spec section 4."""

from math import floor

import numpy as np

from spikefold.ir import Input, Network, Neuron, Population, Projection, ShiftSum

LEAKS = {
    "unity": ShiftSum(((1, 0),)),
    "half": ShiftSum(((1, 1),)),
    "mixed": ShiftSum(((1, 0), (-1, 3), (1, 7))),
    "negative": ShiftSum(((-1, 1),)),
    "none": ShiftSum(()),
}


def random_weight(rng, sets, targets, sources, bits):
    if bits == 1:
        return rng.choice([-1, 1], (sets, targets, sources))
    return rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), (sets, targets, sources))


def random_neuron(rng, channels, steps, reach, *, levels, reset, rounding, fire_floor, leak, membrane_bits):
    """Thresholds from 1 to far beyond `reach`, the largest current."""
    rows = rng.choice([1, steps])
    threshold = np.exp(rng.uniform(0, np.log(reach + 2), (rows, channels))).astype(np.int64)
    return Neuron(
        levels=levels,
        threshold=np.maximum(threshold, 1),
        rounding=rounding,
        reset=reset,
        leak=LEAKS[leak],
        factor=LEAKS["mixed"] if reset == "scale" else None,
        fire_floor=rng.integers(-reach // 4, reach, channels) if fire_floor else None,
        membrane_bits=membrane_bits,
    )


def random_population(rng, name, sources, channels, steps, sets, bits, neuron):
    """A population on `sources`, a dict of name: (size, levels); `neuron` holds random_neuron's options."""
    fraction = int(rng.integers(0, 4))
    projections = tuple(
        Projection(source, random_weight(rng, sets, channels, size, bits), bits)
        for source, (size, _) in sources.items()
    )
    reach = sum(int(abs(p.weight).sum(axis=2).max()) * sources[p.source][1] for p in projections)
    reach = (reach << fraction) + 1
    bias = rng.integers(-reach // 4, reach // 4 + 1, (rng.choice([1, steps]), channels))
    body = neuron and random_neuron(rng, channels, steps, reach, **neuron)
    return Population(name, projections, bias, fraction, body)


def random_network(
    rng,
    *,
    steps=2,
    sets=1,
    bits=4,
    levels=4,
    input_levels=16,
    static=True,
    size=5,
    channels=6,
    reset="subtract",
    rounding="half_up",
    fire_floor=False,
    leak="unity",
    membrane_bits=None,
):
    """Two spiking populations, the second and the readout with two projections each."""
    neuron = {
        "levels": levels,
        "reset": reset,
        "rounding": rounding,
        "fire_floor": fire_floor,
        "leak": leak,
        "membrane_bits": membrane_bits,
    }
    source = {"input": (size, input_levels)}
    first, second = {"first": (channels, levels)}, {"second": (channels + 1, levels)}
    options = {"steps": steps, "sets": sets, "bits": bits}
    return Network(
        Input((size,), input_levels, static),
        steps,
        (
            random_population(rng, "first", source, channels, neuron=neuron, **options),
            random_population(rng, "second", first | source, channels + 1, neuron=neuron, **options),
            random_population(rng, "readout", second | first, 3, neuron=None, **options),
        ),
    )


def random_levels(rng, network, samples):
    """Random input levels, the first two samples all zero and all at the maximum."""
    steps = 1 if network.input.static else network.steps
    levels = rng.integers(0, network.input.levels + 1, (samples, steps, network.input.size))
    levels[0] = 0
    levels[1:2] = network.input.levels
    return levels


def scalar_run(network, sample):
    """Spec section 4 for one sample, neuron by neuron in Python integers; shares no code with the package.

    Returns (levels, membranes, potentials, logits): by name, [step][channel]; potentials are `u` before it
    is first saturated.
    """
    emitted = {"input": [[int(n) for n in sample[t if len(sample) > 1 else 0]] for t in range(network.steps)]}
    membranes, potentials = {}, {}
    for p in network.populations:
        results = [_scalar_neuron(network, p, emitted, c) for c in range(p.channels)]
        emitted[p.name], membranes[p.name], potentials[p.name] = (
            [[result[k][t] for result in results] for t in range(network.steps)] for k in range(3)
        )
    return emitted, membranes, potentials, membranes[network.populations[-1].name][-1]


def _row(array, t):
    return array[t] if len(array) > 1 else array[0]


def _scalar_shifts(terms, v):
    largest = max((e for _, e in terms), default=0)
    total = 0
    for sign, e in terms:
        total += sign * v * 2 ** (largest - e)
    return floor_div(total + (2 ** (largest - 1) if largest else 0), 2**largest)


def floor_div(a, b):
    """Floor of a / b, from truncation, so that it does not lean on `//`."""
    quotient = abs(a) // b
    return quotient if a >= 0 else -quotient - (1 if abs(a) % b else 0)


def _scalar_neuron(network, p, emitted, c):
    v, fired = 0, False
    levels, membranes, potentials = [], [], []
    for t in range(network.steps):
        total = 0
        for projection in p.projections:
            for i, n in enumerate(emitted[projection.source][t]):
                total += int(_row(projection.weight, t)[c][i]) * n
        current = total * 2**p.fraction + int(_row(p.bias, t)[c])
        if p.neuron is None:
            v += current
            n, u = 0, v
        else:
            n, v, fired, u = _scalar_update(p.neuron, t, c, current, v, fired)
        levels.append(n)
        membranes.append(v)
        potentials.append(u)
    return levels, membranes, potentials


def _clip(v, low, high):
    return low if v < low else high if v > high else v


def _scalar_update(neuron, t, c, current, v, fired):
    def cap(value):
        if neuron.membrane_bits is None:
            return value
        top = 2 ** (neuron.membrane_bits - 1)
        return _clip(value, -top, top - 1)

    theta = int(_row(neuron.threshold, t)[c])
    u = _scalar_shifts(neuron.leak.terms, v) + current
    if neuron.reset == "scale" and fired:
        u = _scalar_shifts(neuron.factor.terms, u)
    free = u
    u = cap(u)
    h = floor(theta / 2) if neuron.rounding == "half_up" else 0
    n = _clip(floor_div(u + h, theta), 0, neuron.levels)
    if neuron.fire_floor is None:
        fired = n > 0
    else:
        fired = u >= int(neuron.fire_floor[c])
        n = n if fired else 0
    if neuron.reset == "subtract":
        v = u - n * theta
    elif neuron.reset == "zero":
        v = 0 if fired else u
    else:
        v = u
    return n, cap(v), fired, free


def chain_network(
    rng, *, steps=2, sets=1, bits=4, size=5, channels=(6,), input_levels=16, static=True, **neuron
):
    """A chain of spiking populations and a readout, as the gateware takes them."""
    options = {
        "levels": 4,
        "reset": "subtract",
        "rounding": "half_up",
        "fire_floor": False,
        "leak": "unity",
        "membrane_bits": None,
    } | neuron
    source = {"input": (size, input_levels)}
    populations = []
    for k, count in enumerate(channels):
        name = f"layer{k}"
        populations.append(random_population(rng, name, source, count, steps, sets, bits, options))
        source = {name: (count, options["levels"])}
    populations.append(random_population(rng, "readout", source, 3, steps, sets, bits, None))
    return Network(Input((size,), input_levels, static), steps, tuple(populations))
