"""Samples for the neuron unit: layers with any feature, and sums around everything that decides."""

import numpy as np
from cell_samples import cell_beats, random_levels
from layer_samples import clips, full_range_layer, random_weight

from spikefold.ir import Identity, Neuron, ShiftSum, ShiftSums

LEAKS = {
    "zero": ShiftSum(()),
    "unity": ShiftSum(((1, 0),)),
    "half": ShiftSum(((1, 1),)),
    "negative": ShiftSum(((-1, 1),)),
    "three": ShiftSum(((1, 0), (-1, 3), (1, 7))),
}

EACH = (
    ShiftSum(((1, 0), (-1, 4))),
    ShiftSum(((1, 1),)),
    ShiftSum(((1, 0), (1, 2), (-1, 2))),
    ShiftSum(()),
    ShiftSum(((1, 0), (-1, 3), (1, 7))),
    ShiftSum(((-1, 1), (-1, 5))),
)
LEAK_NAMES = (*LEAKS, "each")
"""Leaks of one factor, and "each": a factor of each channel."""


def leak_of(name, channels):
    """The leak of that name; of each channel the next of `EACH`."""
    return LEAKS[name] if name != "each" else ShiftSums(tuple(EACH[k % len(EACH)] for k in range(channels)))


def unit_sample(
    rng,
    *,
    reset,
    rounding,
    floor,
    leak,
    factor,
    cap,
    levels,
    steps,
    sets,
    channels,
    fraction,
    source=255,
    units=1,
    size=None,
    order="position_major",
    skips=(),
):
    """A layer whose sums reach -128·source .. 127·source, with thresholds from 1 to beyond their reach."""
    reach = 127 * source << fraction
    rows = steps if sets else 1
    threshold = np.exp(rng.uniform(0, np.log(2.2 * reach), (rows, channels))).astype(np.int64)
    # The first channel climbs through all levels.
    threshold[:, 0] = max(1, reach // (2 * levels + 4))
    neuron = Neuron(
        levels,
        np.maximum(threshold, 1),
        rounding=rounding,
        reset=reset,
        leak=leak_of(leak, channels),
        factor=LEAKS[factor] if reset == "scale" else None,
        fire_floor=rng.integers(-reach // 4, reach, channels) if floor else None,
        membrane_bits={None: None, "tight": reach.bit_length() - 1, "wide": 40}[cap],
    )
    bias = rng.integers(-reach // 4, reach // 4, (rows, channels))
    # Weights over their full range, once per step.
    skips = [(largest, random_weight(rng, width, (steps, channels)), width) for largest, width in skips]
    return full_range_layer(
        channels,
        steps,
        source=source,
        units=units,
        order=order,
        bias=bias,
        fraction=fraction,
        neuron=neuron,
        size=size,
        skips=skips,
    )


def potentials(rng, neuron, step, shape):
    """Values of `u` worth meeting: around multiples of θ, the fire floor and the cap."""
    theta, half = neuron.at(step)
    edge = rng.integers(0, neuron.levels + 2, shape) * theta - half
    if neuron.fire_floor is not None:
        edge = np.where(rng.random(shape) < 0.3, neuron.fire_floor, edge)
    if neuron.membrane_bits is not None:
        limit = 1 << (neuron.membrane_bits - 1)
        edge = np.where(rng.random(shape) < 0.2, rng.choice([-limit, limit], shape), edge)
    return edge + rng.integers(-1, 2, shape)


def stimulus(rng, sample, steps, count, source):
    """Sums and levels of the skips, each (samples, steps, positions, channels), and the membranes clipped."""
    population, neuron, layer = sample.population, sample.population.neuron, sample.layer
    shape, low, high = (count, layer.map.positions, population.channels), -128 * source, 127 * source
    identities = [p for p in population.projections if isinstance(p, Identity)]
    skips = [random_levels(rng, s.buffer.levels, (count, steps, *shape[1:])) for s in layer.skips]
    v, fired, clipped, sums = np.zeros(shape, np.int64), np.zeros(shape, bool), 0, []
    for step in range(steps):
        bias = population.bias_at(step)
        added = sum(p.at(step) * levels[:, step] for p, levels in zip(identities, skips, strict=True))
        wanted = potentials(rng, neuron, step, shape) - neuron.leak.apply(v) - bias
        kind = rng.random(shape)
        total = (wanted >> population.fraction) - added
        total = np.where(kind < 0.7, total, rng.integers(low, high + 1, shape))
        total = np.where(kind > 0.9, rng.choice([low, high], shape), total).clip(low, high)
        current = ((total + added) << population.fraction) + bias
        clipped += int(clips(neuron, current, v, fired).sum())
        _, v, fired = neuron.step(current, v, fired, step)
        sums.append(total)
    return np.stack(sums, 1), skips, clipped


def in_stream_order(array, order):
    """Cells (.., channels) of an array (samples, steps, positions, channels) as a stream brings them."""
    array = array.swapaxes(1, 2) if order == "position_major" else array
    return array.reshape(-1, array.shape[-1])


def ends_of(steps, positions, order, cell):
    """`(end_step, end_sample)` of a stream's cell."""
    cell %= steps * positions
    place = cell // steps if order == "position_major" else cell % positions
    return int(place == positions - 1), int(cell == steps * positions - 1)


def expected_beats(levels, order, units=1):
    """Events of levels, (samples, steps, positions, channels), and the index of the word each comes from."""
    beats, origins = [], []
    steps, positions, channels = levels.shape[1:]
    for cell, row in enumerate(in_stream_order(levels, order)):
        words = channels // units
        for word in range(words):
            events = [k for k in range(word * units, (word + 1) * units) if row[k]]
            if word == words - 1 and not events:
                events = [channels - 1]
            beats += [
                {"index": k, "level": int(row[k]), "end_position": 0, "end_step": 0, "end_sample": 0}
                for k in events
            ]
            origins += [cell * words + word] * len(events)
        end_step, end_sample = ends_of(steps, positions, order, cell)
        beats[-1] |= {"end_position": 1, "end_step": end_step, "end_sample": end_sample}
    return beats, origins


def word_beats(cells, units):
    """Sums of cells, (cells, channels), in words."""
    return [{k: int(value) for k, value in enumerate(word)} for word in cells.reshape(-1, units)]


def skip_beats(levels, steps, order):
    """Events of a skip's levels, (samples, steps, positions, channels)."""
    cells = in_stream_order(levels, order)
    return [
        beat
        for cell, row in enumerate(cells)
        for beat in cell_beats(row, *ends_of(steps, levels.shape[2], order, cell))
    ]
