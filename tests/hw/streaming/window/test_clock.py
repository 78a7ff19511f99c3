"""GatherClock and ProjectionClock against the gateware, cycle by cycle."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from cell_samples import random_levels, window_beats
from shape_samples import buffered_window, projection_core, window_shape
from stream_bench import simulate
from timed_bench import TimedSource, free_times
from window_bench import SHAPES, levels_by_step, map_beats, random_maps, run_window

from spikefold.ir.maps import Map
from spikefold_hw.order import ORDERS, Time
from spikefold_hw.parts.moves import NEVER
from spikefold_hw.streaming.window.clock import GatherClock, ProjectionClock, TapTimes
from spikefold_hw.streaming.window.shape import ProjectionShape


@pytest.mark.parametrize("pause", [0.0, 0.9])
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize(("map_", "kernel", "stride", "padding", "groups"), SHAPES)
def test_clock_knows_every_mark(map_, kernel, stride, padding, groups, steps, pause):
    rng = np.random.default_rng(6)
    window = buffered_window(map_, kernel, stride, padding, groups, steps=steps, slack=1)
    levels = random_maps(rng, window, 4)
    record = run_window(window, levels, stalls=(pause, 0.0))
    beats = map_beats(levels)
    marks = [cycle for cycle, beat in zip(record.taken, beats, strict=True) if beat.get("end_position")]
    left = [cycle for cycle, beat in zip(record.left, record.beats, strict=True) if beat["end_position"]]
    time = Time(steps, "position_major")
    clock = GatherClock(window, TapTimes.of(levels_by_step(window, levels), window, time))
    outputs, needed = window.geometry.outputs, window.geometry.needed
    for k, expected in enumerate(left):
        place, step = divmod(k // groups, window.steps)
        frame, output = divmod(place, outputs)
        cell = (frame * map_.positions + int(needed[output])) * window.steps + step
        assert window.last_cell(k // groups) == cell
        assert clock.window(marks[cell], NEVER) == expected
    firsts = [0, *(k + 1 for k, beat in enumerate(beats) if beat.get("end_position"))]
    for cell, first in enumerate(firsts[:-1]):
        free = clock.free(cell)
        assert free <= record.taken[first]
        if pause == 0.0 and first:
            assert record.taken[first] == max(free, record.taken[first - 1] + 1)


@dataclass
class Issue:
    """Cycles by block: the first beat, the flush on offer, the flush taken."""

    starts: list = field(default_factory=list)
    offered: list = field(default_factory=list)
    taken: list = field(default_factory=list)


def issue_run(dut, source, free):
    """Take digits at once, and the n-th flush from cycle `free[n]` on."""
    issue = Issue()

    async def bench(ctx):
        cycle, last = 0, 0
        while len(issue.taken) < len(free):
            assert cycle - last < 3000, "stuck"
            source.drive(ctx, cycle)
            valid, flush = ctx.get(dut.o.valid), ctx.get(dut.o.payload.flush)
            block = len(issue.taken)
            ready = not flush or cycle >= free[block]
            ctx.set(dut.o.ready, ready)
            if valid and len(issue.starts) == block:
                issue.starts.append(cycle)
            if valid and flush and len(issue.offered) == block:
                issue.offered.append(cycle)
            if valid and flush and ready:
                issue.taken.append(cycle)
                last = cycle
            *_, accept = await ctx.tick().sample(source.interface.ready)
            source.saw(cycle, accept)
            cycle += 1

    simulate(dut, bench)
    return issue


def check_projection(projection, blocks, time, seed, gap, pace):
    """Hold the clock to the gateware with a source that pauses and lanes that make flushes wait."""
    rng, window = np.random.default_rng(seed), projection.window
    shape = (3, time.steps, *window.map)
    levels = random_levels(rng, window.levels, shape)
    cells = time.in_cells(levels, window.map)
    dut = projection_core(projection, blocks, time)
    source = TimedSource(dut.i, [window_beats([cell]) for cell in cells], gap, gap > 0, rng)
    outputs, count = 3 * time.steps * window.geometry.outputs, blocks * window.groups
    free = free_times(rng, outputs * count, pace)
    issue = issue_run(dut, source, free)
    clock, taken = ProjectionClock(projection, blocks, levels, time), NEVER
    for n in range(outputs * count):
        current, block = divmod(n, count)
        last = clock.last_cell(current)
        events = source.events[last + 1 - clock.cells : last + 1]
        clock.begin(block, source.marks[last], np.array([cycle for cell in events for cycle in cell], int))
        start, end = clock.issue(block, taken + 1)
        assert (start, end) == (issue.starts[n], issue.offered[n]), f"block {n}"
        taken = max(end, free[n])
        assert taken == issue.taken[n]
        clock.flushed(taken)
    for cell, first in enumerate(source.firsts):
        assert first == max(source.offers[cell], clock.free(cell)), f"cell {cell}"


@pytest.mark.parametrize(("gap", "pace"), [(0, 0), (0, 12), (25, 0), (9, 9)])
@pytest.mark.parametrize("blocks", [1, 3])
@pytest.mark.parametrize(
    ("map_", "kernel"), [(Map(1), (1, 1)), (Map(7), (1, 1)), (Map(2, 2, 3), (2, 3))], ids=str
)
def test_clock_of_windows_that_come_as_they_are(map_, kernel, blocks, gap, pace):
    projection = ProjectionShape(window_shape(map_, kernel), "naf", 4, 1)
    check_projection(projection, blocks, Time(2, "step_major"), blocks + gap + pace, gap, pace)


@pytest.mark.parametrize(("gap", "pace"), [(0, 0), (0, 40), (25, 0), (9, 30)])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("map_", "kernel", "stride", "padding", "groups"), SHAPES[::3])
def test_clock_of_windows_that_are_gathered(map_, kernel, stride, padding, groups, order, gap, pace):
    together = 2 if order == "position_major" else 1
    window = buffered_window(map_, kernel, stride, padding, groups, steps=together)
    check_projection(ProjectionShape(window, "binary", 4, 1), 2, Time(2, order), gap + pace, gap, pace)
