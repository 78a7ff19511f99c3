"""AccumulateCore against its model, and its model against the sums of products."""

import numpy as np
import pytest
from cell_samples import random_levels
from layer_samples import random_weight, sample_layer, sample_of
from stream_bench import STALLS, stream_run

from spikefold.ir import Conv, Dense, Identity, Input, Network, Neuron, Population
from spikefold.ir.coding import CODINGS, digits_of
from spikefold_hw.parts.lanes import AccumulateCore, accumulate_latency

pytestmark = pytest.mark.usefixtures("not_elaborated")

FLUSH = (0, 0, 0, 0, True)


def projections_of(sample):
    return [p for p in sample.population.projections if not isinstance(p, Identity)]


def kernels_of(sample):
    """Weights of each window as (sets, targets, rows, columns, channels of a group)."""
    kernels = []
    for projection, window in zip(projections_of(sample), sample.layer.windows, strict=True):
        weight = projection.weight
        if isinstance(projection, Dense):
            weight = weight.reshape(*weight.shape[:2], *window.map)
        kernels.append(weight.transpose(0, 1, 3, 4, 2))
    return kernels


def random_cells(rng, sample, count):
    """Levels under each window, (cells, rows, columns, channels); one cell is silent, one full."""
    cells = []
    for window in sample.layer.windows:
        shape = (count, *window.kernel, window.map.channels)
        levels = random_levels(rng, window.levels, (count, int(np.prod(shape[1:])))).reshape(shape)
        levels[0], levels[1] = 0, window.levels
        cells.append(levels)
    return cells


def issue(layer, cells, steps):
    """Digits `(window, row, shift, sign, flush)` of cells in step order, block by block, window by window."""
    digits = []
    for cell in range(len(cells[0])):
        for block in range(layer.blocks.count):
            for port, (projection, levels) in enumerate(zip(layer.projections, cells, strict=True)):
                window, step = projection.window, cell % steps if projection.weight_sets > 1 else 0
                group, channels = block * window.groups // layer.blocks.count, window.channels
                base = (step * layer.blocks.count + block) * window.inputs
                seen = levels[cell][..., group * channels : (group + 1) * channels].ravel()
                for index in seen.nonzero()[0]:
                    found = digits_of(int(seen[index]), projection.coding)
                    digits += [(port, base + int(index), shift, sign, False) for shift, sign in found]
            digits.append(FLUSH)
    return digits


def products(sample, cells, steps):
    """What the layer's windows must sum up to, channel by channel and cell by cell."""
    total = np.zeros((len(cells[0]), sample.layer.channels), int)
    for kernel, levels in zip(kernels_of(sample), cells, strict=True):
        reach = kernel.shape[-1]
        per_group = len(total[0]) * reach // levels.shape[-1]
        for cell, channel in np.ndindex(total.shape):
            first = channel // per_group * reach
            weight = kernel[cell % steps if len(kernel) > 1 else 0, channel]
            total[cell, channel] += (weight * levels[cell][..., first : first + reach]).sum()
    return total.ravel().tolist()


def beats_of(digits):
    return [
        {"flush": 1} if flush else {"window": port, "row": row, "shift": shift, "negative": int(sign < 0)}
        for port, row, shift, sign, flush in digits
    ]


def run_core(sample, digits, **options):
    core, units = AccumulateCore(sample.lanes_shape, sample.contents), sample.layer.units
    kernels = [kernel.reshape(*kernel.shape[:2], -1) for kernel in kernels_of(sample)]
    sums = core.model(kernels, digits)
    record = stream_run(core, beats_of(digits), len(sums) // units, **options)
    assert [beat[k] for beat in record.beats for k in range(units)] == sums
    return record, sums


def check_cells(sample, cells, steps=1, **options):
    """The gateware must give what the model gives, and the model the sums of products."""
    digits = issue(sample.layer, cells, steps)
    record, sums = run_core(sample, digits, **options)
    assert sums == products(sample, cells, steps)
    return record


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("coding", CODINGS)
def test_sums_of_any_weight_width(coding, bits):
    rng = np.random.default_rng(bits)
    sample = sample_layer(random_weight(rng, bits, (1, 5, 6)), bits, levels=11, lanes=3, coding=coding)
    check_cells(sample, random_cells(rng, sample, 4))


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize(
    ("channels", "lanes", "units"),
    [
        (1, 1, 1),
        (5, 1, 1),
        (6, 3, 1),
        (7, 3, 1),
        (7, 4, 1),
        (9, 8, 1),
        (8, 8, 1),
        (3, 8, 1),
        (17, 16, 1),
        (8, 8, 8),
        (8, 8, 2),
        (6, 3, 3),
        (10, 4, 2),
        (9, 6, 3),
        (2, 8, 2),
    ],
)
def test_sums_of_any_lanes(channels, lanes, units, stalls):
    rng = np.random.default_rng(channels)
    sample = sample_layer(random_weight(rng, 4, (1, channels, 4)), 4, levels=7, lanes=lanes, units=units)
    assert sample.layer.lanes == min(lanes, channels)
    check_cells(sample, random_cells(rng, sample, 4), stalls=stalls, tail=60)


@pytest.mark.parametrize("sets", [1, 3])
@pytest.mark.parametrize(("lanes", "units"), [(2, 1), (5, 5)])
def test_sums_of_weight_sets(lanes, units, sets):
    rng = np.random.default_rng(sets)
    weight = random_weight(rng, 5, (sets, 5, 3))
    sample = sample_layer(weight, 5, levels=6, steps=3, static=False, lanes=lanes, units=units)
    check_cells(sample, random_cells(rng, sample, 6), 3, stalls=(0.3, 0.3))


def several_windows(rng, windows, channels, lanes, units, steps=1):
    """A layer that reads the input and two populations, each `(bits, coding, kernel, groups, sets)`."""
    sources, projections, stages = ("input", "first", "second"), [], []
    for source in sources[1:]:
        weight = random_weight(rng, 3, (1, 6, 6, 1, 1))
        neuron = Neuron(int(rng.integers(1, 9)), np.full((1, 6), 5))
        stages.append(Population(source, (Conv("input", weight, 3),), np.zeros((1, 6), int), 0, neuron))
    for source, (bits, _, kernel, groups, sets) in zip(sources, windows, strict=False):
        weight = random_weight(rng, bits, (sets, channels, 6 // groups, kernel, kernel))
        projections.append(Conv(source, weight, bits, padding=(kernel // 2,) * 2, groups=groups))
    neuron = Neuron(3, np.full((1, channels), 9))
    stages.append(Population("layer", tuple(projections), np.zeros((1, channels), int), 0, neuron))
    readout = Dense("layer", np.ones((1, 1, channels * 9), int), 1)
    stages.append(Population("readout", (readout,), np.zeros((1, 1), int)))
    network = Network(Input((6, 3, 3), 9, False), steps, tuple(stages))
    coding = {source: window[1] for source, window in zip(sources, windows, strict=False)}
    return sample_of(network, "layer", lanes, units, coding)


@pytest.mark.parametrize("stalls", STALLS[::3])
@pytest.mark.parametrize(
    ("windows", "lanes", "units"),
    [
        ([(4, "binary", 3, 1, 1), (4, "binary", 1, 1, 1)], 4, 1),
        ([(8, "naf", 3, 1, 1), (2, "binary", 1, 1, 1)], 8, 4),
        ([(1, "unary", 1, 1, 1), (5, "naf", 3, 1, 1)], 5, 1),
        ([(1, "naf", 1, 1, 1), (1, "naf", 1, 1, 1)], 3, 1),
        ([(3, "binary", 1, 1, 2), (4, "unary", 1, 1, 1), (6, "naf", 3, 1, 2)], 12, 3),
        ([(4, "binary", 3, 2, 1), (4, "naf", 1, 1, 1)], 4, 2),
        ([(4, "binary", 3, 2, 1)], 4, 1),
        ([(4, "naf", 1, 3, 2), (2, "binary", 3, 3, 1), (4, "binary", 1, 1, 1)], 3, 1),
        ([(4, "binary", 3, 6, 1)], 2, 2),
    ],
)
def test_sums_of_several_windows_and_groups(windows, lanes, units, stalls):
    rng = np.random.default_rng(len(windows))
    steps = max(window[4] for window in windows)
    sample = several_windows(rng, windows, 12, lanes, units, steps)
    check_cells(sample, random_cells(rng, sample, 2 + 2 * steps), steps, stalls=stalls)


def test_a_sign_acts_for_signed_digits_only():
    rng = np.random.default_rng(0)
    sample = several_windows(rng, [(4, "binary", 1, 1, 1), (4, "naf", 1, 1, 1)], 4, 4, 1)
    plain, signed = (kernel[0, :, 0, 0, 2] for kernel in kernels_of(sample))
    for port, sums in ((0, plain), (1, -signed)):
        core = AccumulateCore(sample.lanes_shape, sample.contents)
        record = stream_run(core, beats_of([(port, 2, 0, -1, False), FLUSH]), 4)
        assert [beat[0] for beat in record.beats] == sums.tolist()


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("bits", [1, 2, 8])
def test_sums_at_both_ends_of_the_accumulator(bits, coding):
    """All weights at their least and at their greatest, all levels full."""
    low, high = (-1, 1) if bits == 1 else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    for rows in ([[low] * 9, [high] * 9], [[low] * 9] * 2, [[high] * 9] * 2):
        sample = sample_layer([rows], bits, levels=15, lanes=2, coding=coding)
        check_cells(sample, [np.array([[15] * 9, [0] * 9, [15] * 9]).reshape(3, 1, 1, 9)])


@pytest.mark.parametrize("coding", ["binary", "naf"])
def test_sum_may_wrap_on_the_way(coding):
    """Digits in an order that leaves the accumulator's range and comes back."""
    sample = sample_layer([[[7, -8]]], 4, levels=3, lanes=1, coding=coding)
    up, down = (0, 0, 1, 1, False), (0, 1, 1, 1, False)
    if coding == "naf":
        down = (0, 0, 1, -1, False)
    limit = 1 << (sample.layer.widths.accumulator - 1)
    count = limit // 14 + 3
    for first, then in ((up, down), (down, up)):
        digits = [first] * count + [then] * (count - 1) + [FLUSH]
        assert count * 14 > limit
        run_core(sample, digits)


def test_blocks_do_not_mix_when_the_next_one_starts_at_once():
    rng = np.random.default_rng(5)
    sample = sample_layer(random_weight(rng, 4, (1, 8, 12)), 4, levels=1, lanes=4)
    record = check_cells(sample, [np.ones((3, 1, 1, 12), int)])
    # Twelve digits cover the drain of four sums, so the input never waits.
    assert record.taken == list(range(len(record.taken)))


@pytest.mark.parametrize(
    ("channels", "lanes", "units"), [(1, 1, 1), (12, 4, 1), (10, 4, 1), (12, 8, 4), (9, 6, 3)]
)
def test_latency_from_flush_to_sums(channels, lanes, units):
    rng = np.random.default_rng(6)
    sample = sample_layer(random_weight(rng, 4, (1, channels, 16)), 4, levels=1, lanes=lanes, units=units)
    assert accumulate_latency(sample.lanes_shape) == 7
    check_latency(sample, [np.ones((2, 1, 1, 16), int)])


def test_latency_with_several_windows():
    rng = np.random.default_rng(6)
    sample = several_windows(rng, [(4, "binary", 3, 1, 1), (4, "binary", 1, 1, 1)], 6, 4, 2)
    assert accumulate_latency(sample.lanes_shape) == 8
    check_latency(sample, [np.ones((2, 3, 3, 6), int), np.ones((2, 1, 1, 6), int)])


def check_latency(sample, cells):
    blocks = sample.layer.blocks
    digits = issue(sample.layer, cells, 1)
    record, _ = run_core(sample, digits)
    flushes = [cycle for cycle, digit in zip(record.taken, digits, strict=True) if digit[4]]
    words = [len(blocks.channels_of(b)) // blocks.units for b in range(blocks.count)] * 2
    latency = AccumulateCore(sample.lanes_shape, sample.contents).latency
    assert latency == accumulate_latency(sample.lanes_shape)
    assert record.left == [
        flush + latency + k for flush, count in zip(flushes, words, strict=True) for k in range(count)
    ]


@pytest.mark.parametrize("units", [1, 3])
def test_flush_waits_until_the_sums_have_left(units):
    """Empty blocks come faster than their sums can leave; none is lost."""
    sample = sample_layer(np.ones((1, 6, 1), int), 2, levels=1, lanes=3, units=units)
    digits = [FLUSH] * 6 + [(0, 0, 0, 1, False), FLUSH, (0, 1, 0, 1, False), FLUSH]
    _, sums = run_core(sample, digits, eager=False)
    assert sums == [0] * 18 + [1] * 6


def test_weights_are_split_over_memories():
    """More lanes than one block RAM is wide, the last memory narrower."""
    rng = np.random.default_rng(7)
    sample = sample_layer(random_weight(rng, 8, (1, 11, 200)), 8, levels=3, lanes=11)
    assert len([name for name in sample.contents if "weight" in name]) > 2
    check_cells(sample, random_cells(rng, sample, 2))
