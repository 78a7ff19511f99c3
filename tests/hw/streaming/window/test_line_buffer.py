"""LineBuffer and WindowWalk against `LineBuffer.model`, which reads the map directly."""

import numpy as np
import pytest
from stream_bench import STALLS, stream_run

from spikefold.ir.maps import Map, Window
from spikefold_hw.streaming.plan import WindowShape
from spikefold_hw.streaming.window.clock import NEVER, GatherClock, TapTimes
from spikefold_hw.streaming.window.line_buffer import LineBuffer


def least_depth(window):
    """Positions that must be kept for a chain of this window alone."""
    released = np.concatenate([[0], window.released[:-1]])
    return int((np.maximum.accumulate(window.needed) + 1 - released).max())


def scan_profile(map_, kernel, stride=(1, 1), padding=(0, 0), groups=1, levels=4, steps=1, slack=1):
    window = Window(map_, kernel, stride, padding)
    depth = least_depth(window) + slack
    return WindowShape("input", map_, kernel, stride, padding, groups, levels, steps, depth)


def random_maps(rng, scan, maps):
    shape = (maps, scan.map.positions, scan.steps, scan.map.channels)
    levels = rng.integers(0, scan.levels + 1, shape)
    levels *= rng.random(shape) < rng.random((maps, scan.map.positions, 1, 1))
    levels[0, ::2] = scan.levels
    levels[-1, 1::2] = 0
    return levels


def cell_beats(levels, style="riding"):
    """Beats of cells (.., channels) in stream order, marks on the last event or by themselves."""
    beats = []
    for cell in levels.reshape(-1, levels.shape[-1]):
        events = [{"index": int(k), "level": int(cell[k])} for k in cell.nonzero()[0]]
        if style == "bare" or not events:
            events.append({"index": 0, "level": 0})
        events[-1]["end_position"] = 1
        beats += events
    return beats


def windows_of(record):
    windows, current = [], []
    for beat in record.beats:
        if beat["level"]:
            current.append((beat["index"], beat["level"]))
        if beat["end_position"]:
            windows.append(current)
            current = []
    assert not current
    return windows


def run_scan(scan, levels, style="riding", taps=True, **options):
    dut = LineBuffer(scan, taps)
    expected = dut.model(levels)
    beats = count_beats(dut, scan, levels)
    record = stream_run(dut, cell_beats(levels, style), beats, **options)
    assert windows_of(record) == expected
    return record


def count_beats(dut, scan, levels):
    """Events of every window, and a bare mark where its last tap is silent or outside."""
    window, beats = scan.window, 0
    for cells in levels:
        for y in range(window.height):
            for x in range(window.width):
                for step in range(scan.steps):
                    for group in range(scan.groups):
                        beats += len(dut._gathered(cells[:, step], y, x, group))
                        row = y * scan.stride[0] - scan.padding[0] + scan.kernel[0] - 1
                        column = x * scan.stride[1] - scan.padding[1] + scan.kernel[1] - 1
                        channels = slice(group * scan.channels, (group + 1) * scan.channels)
                        inside = row < scan.map.height and column < scan.map.width
                        if not inside or not cells[row * scan.map.width + column, step, channels].any():
                            beats += 1
    return beats


SHAPES = [
    (Map(2, 4, 5), (3, 3), (1, 1), (1, 1), 1),
    (Map(1, 5, 4), (2, 3), (1, 2), (0, 1), 1),
    (Map(3, 4, 4), (1, 1), (2, 2), (0, 0), 1),
    (Map(4, 5, 5), (3, 3), (2, 2), (1, 1), 2),
    (Map(3, 3, 4), (3, 3), (1, 1), (2, 2), 3),
    (Map(6, 3, 3), (2, 2), (1, 1), (1, 0), 2),
    (Map(5, 1, 1), (3, 3), (1, 1), (1, 1), 1),
    (Map(2, 3, 3), (3, 3), (1, 1), (0, 0), 1),
    (Map(2, 6, 6), (2, 2), (3, 3), (0, 0), 1),
    (Map(1, 1, 7), (1, 3), (1, 2), (0, 1), 1),
    (Map(2, 7, 7), (3, 3), (3, 2), (2, 1), 1),
]


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize(("map_", "kernel", "stride", "padding", "groups"), SHAPES)
def test_windows_of_every_shape(map_, kernel, stride, padding, groups, steps):
    rng = np.random.default_rng(3)
    for slack in (0, 1, 3):
        scan = scan_profile(map_, kernel, stride, padding, groups, steps=steps, slack=slack)
        run_scan(scan, random_maps(rng, scan, 3))


@pytest.mark.parametrize("style", ["riding", "bare"])
@pytest.mark.parametrize("stalls", STALLS)
def test_windows_under_stalls(stalls, style):
    rng = np.random.default_rng(4)
    scan = scan_profile(Map(3, 4, 4), (3, 3), (1, 1), (1, 1), steps=2, slack=0)
    run_scan(scan, random_maps(rng, scan, 3), style, stalls=stalls)


def test_pooled_windows_keep_the_channel():
    rng = np.random.default_rng(5)
    scan = scan_profile(Map(5, 4, 6), (2, 2), (2, 2))
    run_scan(scan, random_maps(rng, scan, 2), taps=False)


@pytest.mark.parametrize("pause", [0.0, 0.9])
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize(("map_", "kernel", "stride", "padding", "groups"), SHAPES)
def test_clock_knows_every_mark(map_, kernel, stride, padding, groups, steps, pause):
    rng = np.random.default_rng(6)
    scan = scan_profile(map_, kernel, stride, padding, groups, steps=steps, slack=1)
    levels = random_maps(rng, scan, 4)
    record = run_scan(scan, levels, stalls=(pause, 0.0))
    beats = cell_beats(levels)
    marks = [cycle for cycle, beat in zip(record.taken, beats, strict=True) if beat.get("end_position")]
    left = [cycle for cycle, beat in zip(record.left, record.beats, strict=True) if beat["end_position"]]
    clock = GatherClock(scan, taps_of(scan, levels))
    outputs, needed = scan.window.outputs, scan.window.needed
    for k, expected in enumerate(left):
        place, step = divmod(k // groups, scan.steps)
        frame, output = divmod(place, outputs)
        cell = (frame * map_.positions + int(needed[output])) * scan.steps + step
        assert clock.window(marks[cell], NEVER) == expected
    firsts = [0, *(k + 1 for k, beat in enumerate(beats) if beat.get("end_position"))]
    for cell, first in enumerate(firsts[:-1]):
        free = clock.free(cell)
        assert free <= record.taken[first]
        if pause == 0.0 and first:
            assert record.taken[first] == max(free, record.taken[first - 1] + 1)


def taps_of(scan, levels):
    """Levels (maps, positions, steps, channels) as the clock takes them."""
    maps, _, steps, channels = levels.shape
    shape = (maps, scan.map.height, scan.map.width, steps, channels)
    return TapTimes.of(levels.reshape(shape).transpose(0, 3, 4, 1, 2), scan, "position_major")
