"""Pool and sum clocks against the gateware, cycle by cycle, with sources and sinks that come at any time."""

import numpy as np
import pytest
from cell_samples import cell_beats, random_levels, window_beats
from pairwise import pairwise
from stream_bench import pack, simulate
from test_add import add_profile
from test_pool import pool_profile

from spikefold.ir.maps import Map
from spikefold_hw.parts.pool import PoolUnit
from spikefold_hw.streaming.join.unit import AddUnit
from spikefold_hw.streaming.scan_clock import AddClock, PoolClock

PATIENCE = 3000


class TimedSource:
    """Offers cells beat by beat; pauses a random time before each cell and, if it `dawdles`, each beat."""

    def __init__(self, interface, cells, gap, dawdles, rng):
        self.interface = interface
        shape = interface.payload.shape()
        self._beats = [(pack(beat, shape), k == 0) for cell in cells for k, beat in enumerate(cell)]
        self._gap, self._dawdles, self._rng = gap, dawdles, rng
        self._wait = 0
        self.offered, self.firsts, self.marks, self.offers = None, [], [], []

    def drive(self, ctx, cycle):
        if self.offered is None and self._beats:
            if self._wait == 0:
                self.offered = self._beats.pop(0)
                if self.offered[1]:
                    self.offers.append(cycle)
            else:
                self._wait -= 1
        ctx.set(self.interface.valid, self.offered is not None)
        if self.offered is not None:
            ctx.set(self.interface.payload.as_value(), self.offered[0])

    def saw(self, cycle, ready):
        if self.offered is None or not ready:
            return
        if self.offered[1]:
            self.firsts.append(cycle)
        if not self._beats or self._beats[0][1]:
            self.marks.append(cycle)
            self._wait = int(self._rng.integers(0, self._gap + 1))
        elif self._dawdles:
            self._wait = int(self._rng.integers(0, 3))
        self.offered = None


def free_times(rng, cells, pace):
    """Cycles from which the sink takes each cell's first beat: far apart, close together, or long past."""
    return np.cumsum(rng.integers(0, 2 * pace + 1, cells) * (rng.random(cells) < 0.7)).tolist()


def timed_run(dut, sources, free, begin=None):
    """Cycles of the marks on `o`; cell n's first beat is taken from cycle `free[n]` on.

    Cycle 0 is the first in which `begin` is set.
    """
    marks = []

    async def bench(ctx):
        if begin is not None:
            await ctx.tick().until(begin)
        cycle = 0
        while len(marks) < len(free):
            assert cycle < PATIENCE
            for source in sources:
                source.drive(ctx, cycle)
            ready = cycle >= free[len(marks)]
            ctx.set(dut.o.ready, ready)
            sampled = await ctx.tick().sample(
                dut.o.valid, dut.o.payload.end_position, *(s.interface.ready for s in sources)
            )
            valid, mark, *accepts = sampled[2:]
            for source, accept in zip(sources, accepts, strict=True):
                source.saw(cycle, accept)
            if valid and ready and mark:
                marks.append(cycle)
            cycle += 1

    simulate(dut, bench)
    return marks


def first_sent(levels):
    """Index of the first channel that sends an event, or the last one's, which sends the mark."""
    return int((levels > 0).argmax()) if levels.any() else len(levels) - 1


@pytest.mark.parametrize("channels", [1, 2, 3, 16])
@pytest.mark.parametrize(("gap", "pace"), [(0, 0), (0, 30), (40, 5), (40, 90)])
def test_pool_clock(channels, gap, pace):
    rng = np.random.default_rng(channels * 1000 + gap * 100 + pace)
    profile = pool_profile("sum", (channels, 2, 60), (2, 2), levels=3)
    windows = random_levels(rng, 3, (30, 4, channels))
    dut, clock = PoolUnit(profile, 1, "step_major"), PoolClock(channels)
    free = free_times(rng, len(windows), pace)
    source = TimedSource(dut.i, [window_beats(w) for w in windows], gap, gap > 0, rng)
    marks = timed_run(dut, [source], free, dut.cleared)
    for n, window in enumerate(windows):
        assert source.firsts[n] == max(source.offers[n], clock.accepts())
        assert marks[n] == clock.window(source.marks[n], first_sent(window.sum(axis=0)), free[n])


ADD_OPTIONS = {
    "channels": (1, 2, 9, 40),
    "depths": ((1, 1), (2, 2), (1, 4), (5, 3)),
    "gaps": ((0, 0), (40, 0), (0, 40), (9, 9)),
    "pace": (0, 5, 30, 90),
}


@pytest.mark.parametrize("options", pairwise(ADD_OPTIONS), ids=lambda o: "-".join(map(str, o.values())))
def test_add_clock(options):
    channels, depths, gaps, pace = options.values()
    rng = np.random.default_rng(channels * 1000 + depths[0] * 100 + pace)
    profile = add_profile(Map(channels), (4, 3), depths)
    cells = [random_levels(rng, most, (25, channels)) for most in (4, 3)]
    dut, clock = AddUnit(profile, 1, "position_major"), AddClock(profile)
    free = free_times(rng, 25, pace)
    sources = [
        TimedSource(port, [cell_beats(c, 1, 1) for c in each], gap, gap > 0, rng)
        for port, each, gap in zip((dut.i0, dut.i1), cells, gaps, strict=True)
    ]
    marks = timed_run(dut, sources, free)
    for n, levels in enumerate(cells[0] + cells[1]):
        for port, source in enumerate(sources):
            assert source.firsts[n] == max(source.offers[n], clock.freed(port, n))
        assert clock.freed(0, n + depths[0]) is None
        assert marks[n] == clock.cell(sources[0].marks[n], sources[1].marks[n], free[n], first_sent(levels))
