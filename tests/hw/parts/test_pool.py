"""PoolUnit against sums and maxima taken straight from the map."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from cell_samples import cell_beats, random_levels, window_beats
from pairwise import pairwise
from stream_bench import STALLS, pack, simulate, stream_run, unpack

from spikefold.ir.maps import Map, Window
from spikefold_hw.order import ORDERS, Time
from spikefold_hw.parts.pool import PoolUnit
from spikefold_hw.parts.shapes import PoolShape

ONE_STEP = Time(1, "position_major")
REDUCE = {"sum": np.sum, "max": np.max}


@dataclass(frozen=True)
class Pooled:
    """A pool, and the window that slides over its source."""

    shape: PoolShape
    window: Window


def pool_of(pooling, source, kernel, stride=None, padding=(0, 0), levels=4, time=ONE_STEP):
    """A pool over a map of shape `source`."""
    window = Window(Map(*source), kernel, stride or kernel, padding)
    pooled = levels * (kernel[0] * kernel[1] if pooling == "sum" else 1)
    map_ = Map(source[0], window.height, window.width)
    return Pooled(PoolShape(map_, pooling, levels, pooled, time), window)


def visits(shape):
    """`(row, column, step)` of the pooled map's cells, in the order in which they come."""
    rows, columns, steps = range(shape.map.height), range(shape.map.width), range(shape.time.steps)
    if shape.time.order == "position_major":
        return list(product(rows, columns, steps))
    return [(row, column, step) for step, row, column in product(steps, rows, columns)]


def levels_under(window, image, row, column):
    """Levels (positions, channels) under a window of `image`, (channels, height, width)."""
    under = []
    for y, x in product(range(window.kernel[0]), range(window.kernel[1])):
        top, left = row * window.stride[0] - window.padding[0], column * window.stride[1] - window.padding[1]
        if 0 <= top + y < image.shape[1] and 0 <= left + x < image.shape[2]:
            under.append(image[:, top + y, left + x])
    return np.array(under)


def pool_beats(pool, images, style):
    """Beats into the unit and out of it, for images (samples, steps, channels, height, width)."""
    into, out, shape = [], [], pool.shape
    places = visits(shape)
    for image in images:
        for row, column, step in places:
            under = levels_under(pool.window, image[step], row, column)
            into += window_beats(under, style)
            end = (row, column) == (shape.map.height - 1, shape.map.width - 1)
            pooled = REDUCE[shape.pooling](under, axis=0)
            out += cell_beats(pooled, end, end and step == shape.time.steps - 1)
    return into, out


def check_pool(pool, images, style="bare", **options):
    into, out = pool_beats(pool, images, style)
    record = stream_run(PoolUnit(pool.shape), into, len(out), **options)
    assert record.beats == out
    return record


def random_images(rng, pool, samples):
    shape = (samples, pool.shape.time.steps, *pool.window.map)
    return random_levels(rng, pool.shape.source_levels, shape)


OPTIONS = {
    "pooling": ("sum", "max"),
    "window": (
        ((1, 1), (1, 1), (0, 0)),
        ((2, 2), (2, 2), (0, 0)),
        ((3, 3), (2, 2), (1, 1)),
        ((1, 3), (1, 1), (0, 2)),
        ((4, 5), (1, 1), (0, 0)),
    ),
    "channels": (1, 2, 3, 4, 7, 8),
    "levels": (1, 3, 12),
    "steps": (1, 3),
    "order": ORDERS,
    "style": ("riding", "bare"),
    "stalls": STALLS,
}


@pytest.mark.parametrize("options", pairwise(OPTIONS), ids=lambda o: "-".join(map(str, o.values())))
def test_pool_with_any_two_options(options):
    rng = np.random.default_rng(len(str(options)))
    pool = pool_of(
        options["pooling"],
        (options["channels"], 4, 5),
        *options["window"],
        levels=options["levels"],
        time=Time(options["steps"], options["order"]),
    )
    images = random_images(rng, pool, 3)
    images[1, 0], images[2, 0] = 0, options["levels"]
    check_pool(pool, images, options["style"], stalls=options["stalls"])


@pytest.mark.parametrize("pooling", ["sum", "max"])
@pytest.mark.parametrize("eager", [True, False])
def test_events_of_a_window_in_any_order_and_again_and_again(pooling, eager):
    """A channel comes 1, 2, 3 or more events after itself: every distance the unit must look back."""
    rng = np.random.default_rng(0)
    shape = pool_of(pooling, (3, 40, 10), (10, 10), levels=2, time=Time(1, "step_major")).shape
    into, out = [], []
    for k in range(40):
        count = int(rng.integers(0, 30))
        channels, levels = rng.integers(0, 3, count), rng.integers(0, 3, count)
        totals = [REDUCE[pooling](levels[channels == c], initial=0) for c in range(3)]
        beats = [{"index": int(c), "level": int(n)} for c, n in zip(channels, levels, strict=True)]
        into += [*beats, {"index": int(rng.integers(3)), "level": 0, "end_position": 1}]
        out += cell_beats(totals, k % 4 == 3, k % 4 == 3)
    record = stream_run(PoolUnit(shape), into, len(out), eager=eager)
    assert record.beats == out


@pytest.mark.parametrize("pooling", ["sum", "max"])
@pytest.mark.parametrize("channels", [1, 5])
def test_largest_and_empty_windows(pooling, channels):
    pool = pool_of(pooling, (channels, 4, 2), (2, 2), levels=63)
    images = np.zeros((4, 1, channels, 4, 2), int)
    images[1], images[3] = 63, 63
    record = check_pool(pool, images)
    assert {beat["level"] for beat in record.beats} == {0, 252 if pooling == "sum" else 63}


@pytest.mark.parametrize("channels", [1, 5])
def test_reset_in_mid_window_leaves_nothing_behind(channels):
    """Both banks hold values when it comes, one of them half sent."""
    clear, beats = Signal(), []
    dut = PoolUnit(pool_of("sum", (channels, 2, 8), (2, 2), levels=3).shape)
    shape = dut.i.payload.shape()

    async def bench(ctx):
        await ctx.tick().until(dut.cleared)
        ctx.set(dut.i.valid, 1)
        for mark in (0, 0, 1, 0, 0, 1):
            event = {"index": channels - 1, "level": 3, "end_position": mark}
            ctx.set(dut.i.payload.as_value(), pack(event, shape))
            await ctx.tick()
        await ctx.tick().until(dut.o.valid)
        for value in (1, 0):
            ctx.set(clear, value)
            ctx.set(dut.i.valid, 0)
            await ctx.tick()
        cycles = 1
        while not ctx.get(dut.cleared):
            assert not ctx.get(dut.o.valid)
            await ctx.tick()
            cycles += 1
        assert cycles == 2 * channels + 2
        # Two silent windows, one in each bank, in two cycles.
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.payload.as_value(), pack({"end_position": 1}, shape))
        for cycle in range(40 + 2 * channels):
            ctx.set(dut.i.valid, cycle < 2)
            assert ctx.get(dut.i.ready) or cycle >= 2
            _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload.as_value())
            if valid:
                beats.append(unpack(payload, dut.o.payload.shape()))

    simulate(ResetInserter(clear)(dut), bench)
    assert beats == 2 * cell_beats(np.zeros(channels, int), False, False)


@pytest.mark.usefixtures("not_elaborated")
def test_model_is_the_reduction():
    rng = np.random.default_rng(0)
    windows = rng.integers(0, 5, (6, 4, 3))
    for pooling, reduce in REDUCE.items():
        unit = PoolUnit(pool_of(pooling, (3, 2, 2), (2, 2)).shape)
        expected = [[reduce(window[:, c]) for c in range(3)] for window in windows]
        assert unit.model(windows).tolist() == expected


def test_windows_follow_without_a_gap():
    """One event per cycle goes in while the window before is scanned: no cycle is lost at either end."""
    pool = pool_of("sum", (8, 2, 40), (2, 2), levels=1)
    images = np.ones((1, 1, 8, 2, 40), int)
    record = check_pool(pool, images)
    first = record.taken[0]
    assert record.taken == list(range(first, first + 20 * 33))
    marks = record.left[7::8]
    assert marks == [record.taken[33 * k + 32] + PoolUnit.latency + 7 for k in range(20)]


def test_scan_sets_the_pace_of_sparse_windows():
    pool = pool_of("max", (8, 1, 30), (1, 1), levels=1)
    record = check_pool(pool, np.zeros((1, 1, 8, 1, 30), int))
    assert (np.diff(record.left) == 8).all()
    # Two windows wait in the banks; each later one is taken as a bank becomes free.
    assert (np.diff(record.taken[3:]) == 8).all()
