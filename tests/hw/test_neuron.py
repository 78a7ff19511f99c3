"""NeuronUnit against its model, around every threshold multiple and at every limit."""

from itertools import product

import numpy as np
import pytest
from layer_samples import clips, sample_layer
from pairwise import pairwise
from stream_bench import STALLS, stream_run

from spikefold.ir import Neuron, ShiftSum
from spikefold_hw.neuron import NeuronUnit, neuron_latency

LEAKS = {
    "zero": ShiftSum(()),
    "unity": ShiftSum(((1, 0),)),
    "half": ShiftSum(((1, 1),)),
    "negative": ShiftSum(((-1, 1),)),
    "three": ShiftSum(((1, 0), (-1, 3), (1, 7))),
}
LEVELS = (1, 2, 3, 4, 5, 7, 15, 16, 100, 255)

OPTIONS = {
    "reset": ("subtract", "zero", "scale", "none"),
    "rounding": ("half_up", "floor"),
    "floor": (False, True),
    "leak": tuple(LEAKS),
    "factor": ("zero", "half", "three"),
    "cap": (None, "tight", "wide"),
    "levels": LEVELS,
    "steps": (1, 2, 5),
    "sets": (False, True),
    "channels": (1, 2, 30),
    "fraction": (0, 3),
    "stalls": STALLS,
}


def unit_sample(
    rng, *, reset, rounding, floor, leak, factor, cap, levels, steps, sets, channels, fraction, source=255
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
        leak=LEAKS[leak],
        factor=LEAKS[factor] if reset == "scale" else None,
        fire_floor=rng.integers(-reach // 4, reach, channels) if floor else None,
        membrane_bits={None: None, "tight": reach.bit_length() - 1, "wide": 40}[cap],
    )
    weight = np.tile([-128, 127], (1, channels, 1))
    bias = rng.integers(-reach // 4, reach // 4, (rows, channels))
    return sample_layer(
        weight, 8, levels=source, steps=steps, lanes=1, bias=bias, fraction=fraction, neuron=neuron
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
    """Sums (samples, steps, channels) and how many membranes they clip."""
    population, neuron = sample.population, sample.population.neuron
    shape, low, high = (count, population.channels), -128 * source, 127 * source
    v, fired, clipped, sums = np.zeros(shape, np.int64), np.zeros(shape, bool), 0, []
    for step in range(steps):
        bias = population.bias_at(step)
        wanted = potentials(rng, neuron, step, shape) - neuron.leak.apply(v) - bias
        kind = rng.random(shape)
        total = np.where(kind < 0.7, wanted >> population.fraction, rng.integers(low, high + 1, shape))
        total = np.where(kind > 0.9, rng.choice([low, high], shape), total).clip(low, high)
        current = (total << population.fraction) + bias
        clipped += int(clips(neuron, current, v, fired).sum())
        _, v, fired = neuron.step(current, v, fired, step)
        sums.append(total)
    return np.stack(sums, 1), clipped


def expected_beats(levels):
    """Events of samples' levels, (samples, steps, channels), and the index of the sum each comes from."""
    beats, origins = [], []
    last_step, last_channel = levels.shape[1] - 1, levels.shape[2] - 1
    for origin, ((_, step, channel), level) in enumerate(np.ndenumerate(levels)):
        mark = int(channel == last_channel)
        if level or mark:
            flags = {"end_position": mark, "end_step": mark, "end_sample": int(mark and step == last_step)}
            beats.append({"index": channel, "level": int(level), **flags})
            origins.append(origin)
    return beats, origins


def check_unit(seed, *, stalls, amount=240, source=None, **options):
    rng = np.random.default_rng(seed)
    steps, source = options["steps"], source or int(rng.choice([1, 15, 255]))
    sample = unit_sample(rng, source=source, **options)
    count = max(3, amount // (steps * options["channels"]))
    sums, clipped = stimulus(rng, sample, steps, count, source)
    unit = NeuronUnit(sample.profile, steps, sample.contents)
    beats, origins = expected_beats(np.stack([unit.model(sample.population, s) for s in sums]))
    record = stream_run(
        unit, sums.reshape(-1).tolist(), len(beats), stalls=stalls, seed=seed, strobes=["saturated"]
    )
    assert record.beats == beats
    assert record.strobes["saturated"] == clipped
    assert unit.latency == neuron_latency(sample.profile, steps)
    if not stalls[1]:
        latencies = {left - record.taken[k] for left, k in zip(record.left, origins, strict=True)}
        assert latencies == {unit.latency}
    return record, beats, clipped


def name_of(options):
    return "-".join(str(value) for value in options.values())


@pytest.mark.parametrize("options", pairwise(OPTIONS), ids=name_of)
def test_unit_with_any_two_options(options):
    check_unit(len(name_of(options)), **options)


PLAIN = {
    "reset": "subtract",
    "rounding": "half_up",
    "floor": False,
    "leak": "unity",
    "factor": "half",
    "cap": None,
    "levels": 4,
    "steps": 1,
    "sets": False,
    "channels": 4,
    "fraction": 0,
    "stalls": (0, 0),
}


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("rounding", ["half_up", "floor"])
def test_every_level_is_reached(levels, rounding):
    options = PLAIN | {"levels": levels, "rounding": rounding, "channels": 1}
    _, beats, _ = check_unit(3, amount=600 if levels < 50 else 2400, source=255, **options)
    assert {beat["level"] for beat in beats} >= set(range(levels + 1)) - set(range(8, levels - 8))


@pytest.mark.parametrize("reset", ["subtract", "zero", "scale", "none"])
@pytest.mark.parametrize("rounding", ["half_up", "floor"])
def test_membrane_capped_wider_than_it_gets(reset, rounding):
    """Negative membranes keep their sign in a memory wider than they need."""
    _, _, clipped = check_unit(
        1, **PLAIN | {"reset": reset, "rounding": rounding, "cap": "wide", "leak": "three", "steps": 5}
    )
    assert clipped == 0


@pytest.mark.parametrize("reset", ["subtract", "zero", "scale", "none"])
@pytest.mark.parametrize("rounding", ["half_up", "floor"])
def test_fire_floor_below_the_threshold(reset, rounding):
    """A neuron may fire, and be reset, with level 0."""
    check_unit(
        2, **PLAIN | {"reset": reset, "rounding": rounding, "floor": True, "steps": 5, "leak": "three"}
    )


def test_tight_cap_clips():
    _, _, clipped = check_unit(2, **PLAIN | {"cap": "tight", "steps": 5, "stalls": (0.5, 0.5)})
    assert clipped > 10


def test_sums_enter_every_cycle_with_one_step():
    record, *_ = check_unit(4, **PLAIN)
    assert record.taken == list(range(len(record.taken)))


def test_only_a_step_s_first_sum_waits_for_the_membranes():
    record, *_ = check_unit(5, **PLAIN | {"steps": 5, "channels": 30})
    waits = np.diff(record.taken)
    assert (np.delete(waits, slice(29, None, 30)) == 1).all()


def test_unit_serves_a_sink_that_waits():
    check_unit(6, **PLAIN | {"steps": 2}, amount=60)


@pytest.mark.parametrize("stalls", STALLS)
def test_silent_neurons_send_only_the_mark(stalls):
    sample = unit_sample(np.random.default_rng(0), **{k: v for k, v in PLAIN.items() if k != "stalls"})
    unit = NeuronUnit(sample.profile, 1, sample.contents)
    beats, _ = expected_beats(np.zeros((5, 1, 4), int))
    record = stream_run(unit, [-128 * 255] * 20, 5, stalls=stalls)
    assert record.beats == beats


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reset", "rounding", "floor", "cap", "levels"),
    list(
        product(
            OPTIONS["reset"],
            OPTIONS["rounding"],
            OPTIONS["floor"],
            OPTIONS["cap"],
            (1, 3, 4, 5, 16, 100, 255),
        )
    ),
)
def test_unit_sweep(reset, rounding, floor, cap, levels):
    seed = levels + 300 * len(reset + rounding)
    rng = np.random.default_rng(seed)
    names = ("leak", "factor", "steps", "sets", "channels", "fraction", "stalls")
    rest = {name: OPTIONS[name][rng.integers(len(OPTIONS[name]))] for name in names}
    check_unit(seed, reset=reset, rounding=rounding, floor=floor, cap=cap, levels=levels, **rest, amount=900)
