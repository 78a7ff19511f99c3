"""NeuronUnit against its model, around every threshold multiple and at every limit."""

from itertools import product
from typing import get_args

import numpy as np
import pytest
from layer_samples import Fed
from neuron_samples import (
    LEAK_NAMES,
    expected_beats,
    in_stream_order,
    skip_beats,
    stimulus,
    unit_sample,
    word_beats,
)
from pairwise import pairwise
from stream_bench import STALLS, stream_run

from spikefold.ir.neuron import Rounding
from spikefold_hw.order import ORDERS
from spikefold_hw.parts.neuron import NeuronUnit, neuron_latency

LEVELS = (1, 2, 3, 4, 5, 7, 15, 16, 100, 255)

OPTIONS = {
    "reset": ("subtract", "zero", "scale", "none"),
    "rounding": get_args(Rounding),
    "floor": (False, True),
    "leak": LEAK_NAMES,
    "factor": ("zero", "half", "three"),
    "cap": (None, "tight", "wide"),
    "levels": LEVELS,
    "steps": (1, 2, 5),
    "sets": (False, True),
    "channels": (1, 2, 30),
    "fraction": (0, 3),
    "stalls": STALLS,
}


def check_unit(seed, *, stalls, amount=240, source=None, **options):
    rng = np.random.default_rng(seed)
    steps, source = options["steps"], source or int(rng.choice([1, 15, 255]))
    order, units = options.get("order", "position_major"), options.get("units", 1)
    sample = unit_sample(rng, source=source, **options)
    count = max(3, amount // (steps * options["channels"] * sample.layer.map.positions))
    sums, skips, clipped = stimulus(rng, sample, steps, count, source)
    unit = NeuronUnit(sample.drain_shape, sample.contents)
    levels = [unit.model(sample.population, s, [skip[k] for skip in skips]) for k, s in enumerate(sums)]
    beats, origins = expected_beats(np.stack(levels), order, units)
    words = word_beats(in_stream_order(sums, order), units)
    fed = Fed(unit, {f"skip{k}": skip_beats(s, steps, order) for k, s in enumerate(skips)}, rng, stalls[0])
    record = stream_run(fed, words, len(beats), stalls=stalls, seed=seed, strobes=["saturated"])
    assert record.beats == beats
    assert record.strobes["saturated"] == clipped
    assert unit.latency == neuron_latency(sample.drain_shape)
    if not stalls[1] and units == 1:
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
@pytest.mark.parametrize("rounding", OPTIONS["rounding"])
def test_every_level_is_reached(levels, rounding):
    options = PLAIN | {"levels": levels, "rounding": rounding, "channels": 1}
    _, beats, _ = check_unit(3, amount=600 if levels < 50 else 2400, source=255, **options)
    assert {beat["level"] for beat in beats} >= set(range(levels + 1)) - set(range(8, levels - 8))


@pytest.mark.parametrize("reset", ["subtract", "zero", "scale", "none"])
@pytest.mark.parametrize("rounding", OPTIONS["rounding"])
def test_membrane_capped_wider_than_it_gets(reset, rounding):
    """Negative membranes keep their sign in a memory wider than they need."""
    _, _, clipped = check_unit(
        1, **PLAIN | {"reset": reset, "rounding": rounding, "cap": "wide", "leak": "three", "steps": 5}
    )
    assert clipped == 0


@pytest.mark.parametrize("reset", ["subtract", "zero", "scale", "none"])
@pytest.mark.parametrize("rounding", OPTIONS["rounding"])
def test_fire_floor_below_the_threshold(reset, rounding):
    """A neuron may fire, and be reset, with level 0."""
    check_unit(
        2, **PLAIN | {"reset": reset, "rounding": rounding, "floor": True, "steps": 5, "leak": "three"}
    )


@pytest.mark.parametrize("reset", ["subtract", "zero", "scale", "none"])
@pytest.mark.parametrize("units", [1, 4])
def test_leaks_of_channels(reset, units):
    """Of no term to three, of either sign, with as many stages for all."""
    options = PLAIN | {"reset": reset, "leak": "each", "channels": 12, "steps": 5, "units": units}
    check_unit(8, **options | {"stalls": (0.3, 0.3), "floor": True, "sets": True}, amount=600)


def test_tight_cap_clips():
    _, _, clipped = check_unit(2, **PLAIN | {"cap": "tight", "steps": 5, "stalls": (0.5, 0.5)})
    assert clipped > 10


def test_sums_enter_every_cycle_with_one_step():
    record, *_ = check_unit(4, **PLAIN)
    assert record.taken == list(range(len(record.taken)))


@pytest.mark.parametrize("channels", range(1, 14))
def test_a_word_waits_for_its_own_membranes_only(channels):
    """With fewer words than stages a word waits until it has been written; with more none ever waits."""
    options = PLAIN | {"steps": 5, "channels": channels, "leak": "three"}
    record, *_ = check_unit(5, **options)
    sample = unit_sample(np.random.default_rng(0), **{k: v for k, v in options.items() if k != "stalls"})
    between = max(0, neuron_latency(sample.drain_shape) + 2 - channels)
    waits = np.diff(record.taken)
    assert (waits[channels - 1 :: channels] == 1 + between).all()
    assert (np.delete(waits, slice(channels - 1, None, channels)) == 1).all()


MAPS = [
    {"order": order, "size": size, "units": units, "channels": channels}
    for order in ORDERS
    for size, units, channels in [
        ((1, 1), 2, 4),
        ((1, 1), 1, 5),
        ((2, 2), 1, 1),
        ((2, 3), 1, 4),
        ((1, 3), 3, 9),
        ((2, 2), 4, 4),
        ((1, 2), 8, 16),
    ]
]


@pytest.mark.parametrize("options", MAPS, ids=lambda options: "-".join(map(str, options.values())))
@pytest.mark.parametrize("reset", ["subtract", "scale"])
@pytest.mark.parametrize("stalls", STALLS[::3])
def test_maps_in_either_order_of_time(options, reset, stalls):
    steps = {"subtract": 3, "scale": 4}[reset]
    features = {"reset": reset, "leak": "three", "cap": "tight", "sets": True, "steps": steps}
    check_unit(len(options), **PLAIN | options | features | {"stalls": stalls}, amount=150)


@pytest.mark.parametrize("stalls", STALLS[::3])
@pytest.mark.parametrize("skips", [((1, 1),), ((5, 8),), ((255, 3), (2, 8)), ((3, 1), (1, 2), (4, 4))])
@pytest.mark.parametrize(
    ("order", "size", "units", "channels", "steps"),
    [
        ("position_major", (1, 2), 1, 4, 1),
        ("position_major", (2, 2), 2, 6, 3),
        ("step_major", (2, 2), 1, 3, 2),
        ("step_major", (1, 2), 4, 4, 3),
        ("position_major", (1, 1), 1, 1, 4),
    ],
)
def test_identities_are_added(order, size, units, channels, steps, skips, stalls):
    options = PLAIN | {"order": order, "size": size, "units": units, "channels": channels, "steps": steps}
    check_unit(7, **options | {"stalls": stalls, "skips": skips, "fraction": 2}, amount=60)


def test_a_cell_waits_for_the_levels_of_its_skip():
    rng = np.random.default_rng(0)
    plain = {name: value for name, value in PLAIN.items() if name != "stalls"}
    sample = unit_sample(rng, **plain | {"size": (1, 1), "skips": ((3, 4),)})
    unit = NeuronUnit(sample.drain_shape, sample.contents)
    idle = [None] * 50
    fed = Fed(unit, {"skip0": [*idle, {"index": 3, "level": 2, "end_position": 1}]})
    record = stream_run(fed, word_beats(np.full((1, 4), -(1 << 14)), 1), 1)
    # The mark of the skip's cell goes in cycle 50.
    assert record.taken == [52, 53, 54, 55]


def test_unit_serves_a_sink_that_waits():
    check_unit(6, **PLAIN | {"steps": 2}, amount=60)


@pytest.mark.parametrize("stalls", STALLS)
def test_silent_neurons_send_only_the_mark(stalls):
    sample = unit_sample(np.random.default_rng(0), **{k: v for k, v in PLAIN.items() if k != "stalls"})
    unit = NeuronUnit(sample.drain_shape, sample.contents)
    beats, _ = expected_beats(np.zeros((5, 1, 1, 4), int), "position_major")
    record = stream_run(unit, word_beats(np.full((5, 4), -128 * 255), 1), 5, stalls=stalls)
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
