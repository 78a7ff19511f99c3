"""AccumulateCore against its model, and its model against the matrix product."""

import numpy as np
import pytest
from layer_samples import random_levels, random_weight, sample_layer
from stream_bench import STALLS, stream_run

from spikefold.ir.coding import CODINGS, shifts_of
from spikefold_hw.accumulate import AccumulateCore
from spikefold_hw.streams import Digit
from spikefold_hw.window import DenseWindow

pytestmark = pytest.mark.usefixtures("not_elaborated")

FLUSH = (0, 0, 0, True)


def core_of(sample):
    window = sample.window
    rows = window.weight_sets * sample.profile.blocks * window.inputs
    return AccumulateCore(
        sample.profile, Digit(rows, shifts_of(window.levels, window.coding)), sample.contents
    )


def weight_of(sample):
    (projection,) = sample.population.projections
    return projection.weight


def beats_of(digits):
    return [
        {"flush": 1} if flush else {"row": row, "shift": shift, "negative": int(sign < 0)}
        for row, shift, sign, flush in digits
    ]


def run_core(sample, digits, **options):
    core = core_of(sample)
    expected = core.model(weight_of(sample), digits)
    record = stream_run(core, beats_of(digits), len(expected), **options)
    assert record.beats == expected
    return record


def window_digits(sample, positions, steps):
    return DenseWindow(sample.window, sample.profile.blocks, steps).model(positions)


def check_positions(sample, positions, steps, **options):
    """The model must give the matrix product, and the gateware what the model gives."""
    digits = window_digits(sample, positions, steps)
    weight, replays = weight_of(sample), sample.window.replays
    product = []
    for k, levels in enumerate(positions):
        for replay in range(replays):
            step = (k * replays + replay) % steps
            product += (weight[step % len(weight)] @ levels).tolist()
    assert core_of(sample).model(weight, digits) == product
    return run_core(sample, digits, **options)


def positions_of(rng, sample, count):
    positions = random_levels(rng, sample.window.levels, (count, sample.window.inputs))
    positions[0] = 0
    positions[1] = sample.window.levels
    return positions


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("coding", CODINGS)
def test_sums_of_any_weight_width(coding, bits):
    rng = np.random.default_rng(bits)
    sample = sample_layer(random_weight(rng, bits, (1, 5, 6)), bits, levels=11, lanes=3, coding=coding)
    check_positions(sample, positions_of(rng, sample, 4), 1)


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize(
    ("channels", "lanes"), [(1, 1), (5, 1), (6, 3), (7, 3), (7, 4), (9, 8), (8, 8), (3, 8), (17, 16)]
)
def test_sums_of_any_lanes(channels, lanes, stalls):
    rng = np.random.default_rng(channels)
    sample = sample_layer(random_weight(rng, 4, (1, channels, 4)), 4, levels=7, lanes=lanes)
    assert sample.profile.lanes == min(lanes, channels)
    check_positions(sample, positions_of(rng, sample, 4), 1, stalls=stalls, tail=60)


@pytest.mark.parametrize(("static", "sets"), [(True, 3), (True, 1), (False, 3), (False, 1)])
@pytest.mark.parametrize("lanes", [2, 5])
def test_sums_of_weight_sets(lanes, static, sets):
    rng = np.random.default_rng(sets)
    weight = random_weight(rng, 5, (sets, 5, 3))
    sample = sample_layer(weight, 5, levels=6, steps=3, static=static, lanes=lanes)
    check_positions(sample, positions_of(rng, sample, 6), 3, stalls=(0.3, 0.3))


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("bits", [1, 2, 8])
def test_sums_at_both_ends_of_the_accumulator(bits, coding):
    """All weights at their least and at their greatest, all levels full."""
    low, high = (-1, 1) if bits == 1 else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    for rows in ([[low] * 9, [high] * 9], [[low] * 9] * 2, [[high] * 9] * 2):
        sample = sample_layer([rows], bits, levels=15, lanes=2, coding=coding)
        check_positions(sample, np.array([[15] * 9, [0] * 9, [15] * 9]), 1)


@pytest.mark.parametrize("coding", ["binary", "naf"])
def test_sum_may_wrap_on_the_way(coding):
    """Digits in an order that leaves the accumulator's range and comes back."""
    sample = sample_layer([[[7, -8]]], 4, levels=3, lanes=1, coding=coding)
    up, down = (0, 1, 1, False), (1, 1, 1, False)
    if coding == "naf":
        down = (0, 1, -1, False)
    limit = 1 << (sample.profile.widths.accumulator - 1)
    count = limit // 14 + 3
    for first, then in ((up, down), (down, up)):
        digits = [first] * count + [then] * (count - 1) + [FLUSH]
        assert count * 14 > limit
        run_core(sample, digits)


def test_blocks_do_not_mix_when_the_next_one_starts_at_once():
    rng = np.random.default_rng(5)
    sample = sample_layer(random_weight(rng, 4, (1, 8, 12)), 4, levels=1, lanes=4)
    digits = window_digits(sample, np.ones((3, 12), int), 1)
    record = run_core(sample, digits)
    # Twelve digits cover the drain of four sums, so the input never waits.
    assert record.taken == list(range(len(digits)))


@pytest.mark.parametrize(("channels", "lanes"), [(1, 1), (12, 4), (10, 4)])
def test_latency_from_flush_to_sums(channels, lanes):
    rng = np.random.default_rng(6)
    sample = sample_layer(random_weight(rng, 4, (1, channels, 16)), 4, levels=1, lanes=lanes)
    digits = window_digits(sample, np.ones((2, 16), int), 1)
    record = run_core(sample, digits)
    flushes = [cycle for cycle, digit in zip(record.taken, digits, strict=True) if digit[3]]
    widths = [min(lanes, channels - first) for first in range(0, channels, lanes)] * 2
    assert record.left == [
        flush + AccumulateCore.latency + k
        for flush, width in zip(flushes, widths, strict=True)
        for k in range(width)
    ]


def test_flush_waits_until_the_sums_have_left():
    """Empty blocks come faster than their sums can leave; none is lost."""
    sample = sample_layer(np.ones((1, 6, 1), int), 2, levels=1, lanes=3)
    digits = [FLUSH] * 6 + [(0, 0, 1, False), FLUSH, (1, 0, 1, False), FLUSH]
    record = run_core(sample, digits, eager=False)
    assert record.beats == [0] * 18 + [1] * 6


def test_weights_are_split_over_memories():
    """More lanes than one block RAM is wide, the last memory narrower."""
    rng = np.random.default_rng(7)
    sample = sample_layer(random_weight(rng, 8, (1, 11, 200)), 8, levels=3, lanes=11)
    assert len([name for name in sample.contents if "weight" in name]) > 2
    check_positions(sample, positions_of(rng, sample, 2), 1)
