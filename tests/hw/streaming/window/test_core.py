"""EventBuffer, DigitIssuer, WindowCore, Flatten and WindowMerge against `WindowCore.model`."""

import numpy as np
import pytest
from layer_samples import random_levels
from stream_bench import STALLS, event_beats, simulate, stream_run

from spikefold.ir.coding import CODINGS, digit_count, digits_of
from spikefold.ir.maps import Map, Window
from spikefold_hw.streaming.plan import LayerShape, ProjectionShape, Widths, WindowShape
from spikefold_hw.streaming.window.core import Flatten, WindowCore, WindowMerge
from spikefold_hw.streaming.window.digit_issuer import DigitIssuer
from spikefold_hw.streaming.window.event_buffer import EventBuffer

LATENCY = EventBuffer.latency + DigitIssuer.latency
NO_WIDTHS = Widths(8, 8, 8, 8, 8, 8, 8, 8, 8)


def scan_profile(map_, kernel=(1, 1), stride=(1, 1), padding=(0, 0), groups=1, levels=5, steps=1, depth=0):
    return WindowShape("input", map_, kernel, stride, padding, groups, levels, steps, depth)


def window_profile(inputs=6, levels=5, coding="binary", weight_sets=1):
    return ProjectionShape(scan_profile(Map(inputs), levels=levels), coding, 4, weight_sets)


def layer_of(*windows, blocks=1, map_=None):
    """A layer of one lane per channel block: `blocks` blocks in each group."""
    groups = max(window.scan.groups for window in windows)
    window = windows[0].scan.window
    map_ = map_ or Map(blocks * groups, window.height, window.width)
    return LayerShape("layer", map_, 1, 1, windows, (), 0, 1, 1, None, NO_WIDTHS)


def edge_positions(profile, seed=0, count=4):
    """Empty, full, single events at both ends, and random positions in between."""
    rng = np.random.default_rng(seed)
    ends = np.zeros((2, profile.inputs), int)
    ends[0, 0] = ends[1, -1] = profile.levels
    empty, full = np.zeros((1, profile.inputs), int), np.full((1, profile.inputs), profile.levels)
    noise = random_levels(rng, profile.levels, (count, profile.inputs))
    return np.concatenate([empty, full, full, ends, empty, noise, empty, full])


def issued_by(record):
    """Beats of a window in the form of its model."""
    return [
        (0, 0, 0, True)
        if beat["flush"]
        else (beat["row"], beat["shift"], -1 if beat["negative"] else 1, False)
        for beat in record.beats
    ]


def run_window(profile, cells, blocks, steps=1, style="riding", order="position_major", **options):
    dut = WindowCore(layer_of(profile, blocks=blocks), 0, steps, order)
    expected = dut.model(cells)
    record = stream_run(dut, event_beats(cells, style=style), len(expected), **options)
    assert issued_by(record) == expected
    return record


@pytest.mark.usefixtures("not_elaborated")
def test_model_goes_through_blocks_and_weight_sets():
    profile = window_profile(inputs=3, levels=5, weight_sets=2)
    model = WindowCore(layer_of(profile, blocks=2), 0, 2, "position_major").model(
        np.array([[0, 5, 1], [0, 5, 1], [0, 0, 0], [0, 0, 0]])
    )
    flush = (0, 0, 0, True)
    first = [
        beat
        for base in (0, 3, 6, 9)
        for beat in [(base + 1, 0, 1, False), (base + 1, 2, 1, False), (base + 2, 0, 1, False), flush]
    ]
    assert model == [*first, *[flush] * 4]


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("style", ["riding", "bare"])
@pytest.mark.parametrize("coding", CODINGS)
def test_window_issues_every_digit(coding, style, stalls):
    profile = window_profile(coding=coding, levels=11)
    run_window(profile, edge_positions(profile), 2, style=style, stalls=stalls)


@pytest.mark.parametrize("blocks", [1, 2, 3, 4])
@pytest.mark.parametrize(("steps", "weight_sets"), [(1, 1), (3, 1), (3, 3), (2, 2)])
def test_window_counts_blocks_steps_and_weight_sets(steps, weight_sets, blocks):
    profile = window_profile(inputs=5, weight_sets=weight_sets)
    cells = edge_positions(profile, count=steps * 2)
    cells = cells[: len(cells) // steps * steps]
    for order in ("position_major", "step_major"):
        for stalls in ((0, 0), (0.6, 0.6)):
            run_window(profile, cells, blocks, steps, order=order, stalls=stalls)


MAPS = [
    (Map(3, 4, 5), (3, 3), (1, 1), (1, 1), 1),
    (Map(4, 5, 4), (3, 2), (2, 1), (1, 0), 2),
    (Map(3, 3, 3), (1, 1), (2, 2), (0, 0), 1),
    (Map(4, 3, 3), (3, 3), (1, 1), (1, 1), 4),
    (Map(2, 2, 2), (2, 2), (1, 1), (0, 0), 1),
]


@pytest.mark.parametrize("order", ["position_major", "step_major"])
@pytest.mark.parametrize("weight_sets", [1, 2])
@pytest.mark.parametrize(("map_", "kernel", "stride", "padding", "groups"), MAPS)
def test_window_over_a_map(map_, kernel, stride, padding, groups, weight_sets, order):
    """Groups, blocks, positions and steps count in the order that the drain expects."""
    steps, rng = 2, np.random.default_rng(1)
    together = steps if order == "position_major" else 1
    depth = int(Window(map_, kernel, stride, padding).needed.max()) + 1
    scan = scan_profile(map_, kernel, stride, padding, groups, steps=together, depth=depth)
    profile = ProjectionShape(scan, "binary", 4, weight_sets)
    cells = random_levels(rng, 5, (3 * steps * map_.positions, map_.channels))
    for stalls in ((0, 0), (0.5, 0.5)):
        run_window(profile, cells, 2, steps, order=order, stalls=stalls)


@pytest.mark.parametrize("stalls", STALLS)
def test_flatten_counts_positions(stalls):
    map_, rng = Map(3, 2, 2), np.random.default_rng(2)
    scan = scan_profile(map_, (2, 2))
    cells = random_levels(rng, 5, (3 * 4, 3))
    expected = [(int(k), int(cell[k])) for cell in cells.reshape(3, 12) for k in cell.nonzero()[0]]
    beats = event_beats(cells, style="bare")
    record = stream_run(Flatten(scan), beats, len(beats), stalls=stalls)
    assert [(b["index"], b["level"]) for b in record.beats if b["level"]] == expected
    assert [b["end_position"] for b in record.beats if not b["level"]] == [0, 0, 0, 1] * 3
    profile = ProjectionShape(scan, "naf", 4, 1)
    run_window(profile, cells, 3, stalls=stalls)


@pytest.mark.usefixtures("not_elaborated")
@pytest.mark.parametrize("pause", [0.0, 0.5])
def test_merged_windows_take_turns(pause):
    """Digits of the first window, then of the second, and one flush; each swallowed flush costs a cycle."""
    windows = window_profile(inputs=4), window_profile(inputs=2, levels=1, coding="naf")
    layer, rng = layer_of(*windows, blocks=2), np.random.default_rng(3)
    cores = [WindowCore(layer, port, 1, "position_major") for port in range(2)]
    merge = WindowMerge(layer, [core.o.payload.shape() for core in cores])
    beats, expected = [[], []], []
    turns = [
        core.model(random_levels(rng, w.levels, (3, w.inputs)))
        for core, w in zip(cores, windows, strict=True)
    ]
    for k, issued in enumerate(turns):
        beats[k] = [
            {"row": row, "shift": shift, "negative": int(sign < 0), "flush": int(flush)}
            for row, shift, sign, flush in issued
        ]
    queues = [list(turn) for turn in turns]
    while queues[0]:
        for k, queue in enumerate(queues):
            while not (item := queue.pop(0))[3]:
                expected.append((k, *item))
        expected.append((1, 0, 0, 0, True))
    got, left = merged_run(merge, beats, rng, pause, len(expected))
    assert [beat[1:] if beat[4] else beat for beat in got] == [e[1:] if e[4] else e for e in expected]
    if pause == 0.0:
        assert left[-1] == len(expected) - 1 + 3 * 2


def merged_run(merge, beats, rng, pause, count):
    """Drive both inputs and the sink at random; returns what left and when."""
    got, left, queues = [], [], [list(b) for b in beats]
    offered = [False, False]

    async def bench(ctx):
        cycle = 0
        while len(got) < count:
            for k, queue in enumerate(queues):
                offered[k] = bool(queue) and (offered[k] or rng.random() >= pause)
                ctx.set(getattr(merge, f"i{k}").valid, offered[k])
                for name, value in (queue[0] if queue else {}).items():
                    ctx.set(getattr(merge, f"i{k}").payload[name], value)
            ready = rng.random() >= pause
            ctx.set(merge.o.ready, ready)
            p = merge.o.payload
            watched = [
                merge.i0.ready,
                merge.i1.ready,
                merge.o.valid,
                p.window,
                p.row,
                p.shift,
                p.negative,
                p.flush,
            ]
            _, _, *ready_in, valid, window, row, shift, negative, flush = await ctx.tick().sample(*watched)
            for k, taken in enumerate(ready_in):
                if offered[k] and taken:
                    queues[k].pop(0)
                    offered[k] = False
            if valid and ready:
                got.append(
                    (window, row, shift, -1 if negative else 1, bool(flush))
                    if not flush
                    else (window, 0, 0, 0, True)
                )
                left.append(cycle)
            cycle += 1

    simulate(merge, bench)
    return got, left


@pytest.mark.parametrize("inputs", [1, 2, 4, 8, 9])
@pytest.mark.parametrize("levels", [1, 255])
@pytest.mark.parametrize("style", ["riding", "bare"])
def test_window_of_any_size(style, inputs, levels):
    for coding in CODINGS:
        profile = window_profile(inputs=inputs, levels=levels, coding=coding)
        positions = edge_positions(profile) if coding != "unary" else edge_positions(profile)[:2]
        run_window(profile, positions, 1, style=style)


def test_window_serves_a_sink_that_waits():
    profile = window_profile()
    run_window(profile, edge_positions(profile), 2, eager=False)


def test_zeros_cost_nothing_even_when_they_are_sent():
    profile = window_profile(inputs=4)
    beats = [{"index": k, "level": 3 * (k == 1)} for k in range(4)]
    beats[-1]["end_position"] = 1
    record = stream_run(WindowCore(layer_of(profile), 0, 1, "position_major"), beats, 3)
    assert issued_by(record) == [(1, 0, 1, False), (1, 1, 1, False), (0, 0, 0, True)]


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("blocks", [1, 3])
def test_window_issues_without_a_gap(coding, blocks):
    """Digits + 1 cycles a block, from `latency` cycles after the first mark on."""
    profile = window_profile(inputs=4, levels=15, coding=coding)
    positions = np.array([[1, 15, 9, 2], [7, 0, 0, 13], [5, 5, 5, 5], [0, 0, 0, 9]])
    # The bench offers an event a cycle, so four blocks of digits cover the next position's arrival.
    record = run_window(profile, positions, blocks)
    work = blocks * (digit_count(positions, coding).sum(axis=1) + 1)
    assert record.left[0] == record.taken[3] + LATENCY
    assert record.left == list(range(record.left[0], record.left[0] + int(work.sum())))


def test_empty_positions_take_one_cycle_a_block():
    record = run_window(window_profile(), np.zeros((6, 6), int), 4)
    assert record.left == list(range(LATENCY, LATENCY + 24))


def test_second_bank_fills_while_the_first_is_replayed():
    profile = window_profile(inputs=4, levels=1)
    record = stream_run(EventBuffer(profile, 10), event_beats(np.ones((4, 4), int)), 4 * 50)
    assert record.taken[:8] == list(range(8))
    # The third position waits until the first bank's last slot has left, the fourth for the second's.
    assert record.taken[8] == record.left[49] + 1
    assert record.taken[12] == record.left[99] + 1


@pytest.mark.parametrize("stalls", STALLS)
def test_buffer_replays_events_and_flushes(stalls):
    profile = window_profile(inputs=3, levels=4)
    positions = np.array([[0, 4, 1], [0, 0, 0], [2, 2, 2]])
    expected = []
    for levels in positions:
        expected += 4 * [*((k, int(level)) for k, level in enumerate(levels) if level), "flush"]
    record = stream_run(
        EventBuffer(profile, 4), event_beats(positions), len(expected), stalls=stalls, tail=60
    )
    assert ["flush" if b["flush"] else (b["index"], b["pending"]) for b in record.beats] == expected
    if stalls == (0, 0):
        assert record.left[0] == record.taken[1] + EventBuffer.latency


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("coding", CODINGS)
def test_issuer_takes_slots_apart(coding, stalls):
    profile = window_profile(inputs=3, levels=15, coding=coding)
    slots, expected = [], []
    for level in range(1, 16):
        digits = digits_of(level, coding)
        mask = level if coding != "naf" else sum(1 << shift for shift, _ in digits)
        slot = {"index": level % 3, "pending": mask}
        if coding == "naf":
            slot["negative"] = sum(1 << shift for shift, sign in digits if sign < 0)
        slots += [slot, {"flush": 1}]
        base = 3 * ((level - 1) % 2)
        expected += [(base + level % 3, *digit, False) for digit in digits]
        expected.append((0, 0, 0, True))
    dut = DigitIssuer(layer_of(profile, blocks=2), 0, 1, "position_major")
    record = stream_run(dut, slots, len(expected), stalls=stalls)
    assert issued_by(record) == expected
    if stalls == (0, 0):
        assert record.left == list(range(DigitIssuer.latency, DigitIssuer.latency + len(expected)))
