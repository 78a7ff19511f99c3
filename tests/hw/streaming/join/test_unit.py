"""AddUnit against the sum of two arrays."""

import numpy as np
import pytest
from cell_samples import cell_beats, random_levels
from pairwise import pairwise
from shape_samples import join_shape
from stream_bench import Sink, Source, pack, simulate, unpack

from spikefold.ir.maps import Map
from spikefold_hw.order import ORDERS, Time
from spikefold_hw.streaming.join.unit import AddUnit

PATIENCE = 2000


def in_order(levels, order):
    """Cells of levels (samples, steps, channels, height, width) with their flags, in the order of time."""
    samples, steps, channels, *_ = levels.shape
    cells = levels.reshape(samples, steps, channels, -1)
    axes = (0, 3, 1, 2) if order == "position_major" else (0, 1, 3, 2)
    positions = cells.shape[3]
    ends = np.zeros((samples, steps, 1, positions), int)
    ends[..., -1] = 1
    ends[:, -1, :, -1] = 2
    flags = ends.transpose(axes).ravel()
    return [
        (cell, flag > 0, flag == 2)
        for cell, flag in zip(cells.transpose(axes).reshape(-1, channels), flags, strict=True)
    ]


def source_beats(levels, order, style):
    """What a source sends; marks ride on a cell's last event ("riding") or on its last channel."""
    beats = []
    for cell, *ends in in_order(levels, order):
        sent = cell_beats(cell, *ends)
        if style == "riding" and len(sent) > 1 and not sent[-1]["level"]:
            flags = {name: sent[-1][name] for name in ("end_position", "end_step", "end_sample")}
            sent = [*sent[:-2], sent[-2] | flags]
        beats += sent
    return beats


def run_add(dut, beats, expected, stalls, seed=0, eager=True):
    """Feed both ports; returns the beats that left and the cycles of all transfers, by port."""
    rng = np.random.default_rng(seed)
    ports = (dut.i0, dut.i1)
    sources = [
        Source([pack(b, port.payload.shape()) for b in sent], pause, rng)
        for port, sent, pause in zip(ports, beats, stalls[:2], strict=True)
    ]
    sink, out, times = Sink(stalls[2], eager, rng), [], ([], [], [])

    async def bench(ctx):
        cycle, last, held = 0, 0, None
        while cycle - last <= 40 or len(out) < expected:
            assert cycle - last < PATIENCE, f"stuck after {len(out)} of {expected} beats"
            offered, ready = [source.choose() for source in sources], sink.choose()
            for port, word in zip(ports, offered, strict=True):
                ctx.set(port.valid, word is not None)
                if word is not None:
                    ctx.set(port.payload.as_value(), word)
            ctx.set(dut.o.ready, ready)
            sampled = await ctx.tick().sample(
                *(port.ready for port in ports), dut.o.valid, dut.o.payload.as_value()
            )
            *accepts, valid, payload = sampled[2:]
            assert held is None or (valid and payload == held), f"cycle {cycle}: a waiting beat changed"
            held = payload if valid and not ready else None
            sink.saw(bool(valid), ready)
            for k, source in enumerate(sources):
                if offered[k] is not None and accepts[k]:
                    source.taken()
                    times[k].append(cycle)
                    last = cycle
            if valid and ready:
                out.append(unpack(payload, dut.o.payload.shape()))
                times[2].append(cycle)
                last = cycle
            cycle += 1

    simulate(dut, bench)
    return out, times


def check_add(shape, levels, style="bare", stalls=(0, 0, 0), **options):
    order = shape.time.order
    beats = [source_beats(each, order, style) for each in levels]
    expected = [b for cell in in_order(levels[0] + levels[1], order) for b in cell_beats(*cell)]
    out, times = run_add(AddUnit(shape), beats, len(expected), stalls, **options)
    assert out == expected
    return times


OPTIONS = {
    "map": (Map(1), Map(2, 1, 3), Map(5, 2, 2), Map(8), Map(40, 1, 2)),
    "levels": ((1, 1), (4, 3), (12, 1), (100, 155)),
    "depths": ((1, 1), (2, 1), (1, 3), (5, 4)),
    "steps": (1, 3),
    "order": ORDERS,
    "style": ("riding", "bare"),
    "stalls": ((0, 0, 0), (0.6, 0, 0), (0, 0.6, 0.3), (0, 0, 0.7), (0.5, 0.5, 0.5)),
}


@pytest.mark.parametrize("options", pairwise(OPTIONS), ids=lambda o: "-".join(map(str, o.values())))
def test_add_with_any_two_options(options):
    rng = np.random.default_rng(len(str(options)))
    time, largest = Time(options["steps"], options["order"]), options["levels"]
    shape = join_shape(options["map"], largest, options["depths"], time)
    levels = [random_levels(rng, most, (4, time.steps, *options["map"])) for most in largest]
    for each, most in zip(levels, largest, strict=True):
        each[1, 0], each[2, 0] = 0, most
    check_add(shape, levels, options["style"], options["stalls"])


@pytest.mark.parametrize("silent", [(0, 1), (0,), (1,)])
def test_silent_sources(silent):
    levels = [np.full((6, 1, 3, 1, 1), n) for n in (4, 3)]
    for k in silent:
        levels[k][::2] = 0
    check_add(join_shape(Map(3)), levels)


def test_sum_serves_a_sink_that_waits():
    rng = np.random.default_rng(0)
    levels = [random_levels(rng, most, (8, 1, 5, 1, 1)) for most in (4, 3)]
    check_add(join_shape(Map(5)), levels, eager=False)


@pytest.mark.usefixtures("not_elaborated")
def test_model_is_the_sum():
    unit = AddUnit(join_shape(Map(2)))
    assert unit.model(np.array([[1, 0], [4, 2]]), np.array([[0, 0], [3, 1]])).tolist() == [[1, 0], [7, 3]]


def test_cells_follow_without_a_gap():
    """A channel per cycle, from `latency` cycles after the later of the first marks on."""
    levels = [np.ones((10, 1, 6, 1, 1), int), np.ones((10, 1, 6, 1, 1), int)]
    first, second, left = check_add(join_shape(Map(6), depths=(3, 3)), levels)
    begin = max(first[5], second[5]) + AddUnit.latency
    assert left == list(range(begin, begin + 60))


@pytest.mark.parametrize("ahead", [1, 2, 4])
def test_a_source_runs_ahead_by_its_depth(ahead):
    """While the other source is silent, as many cells are taken as are kept."""
    beats = [[{"index": 0, "level": 1, "end_position": 1}] * 6, []]
    dut = AddUnit(join_shape(Map(1), depths=(ahead, 1)))
    _, (taken, _, _) = run_add(dut, beats, 0, (0, 0, 0))
    assert len(taken) == ahead
