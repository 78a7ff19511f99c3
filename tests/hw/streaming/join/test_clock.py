"""AddClock against the gateware, cycle by cycle, with sources and a sink that come at any time."""

import numpy as np
import pytest
from cell_samples import cell_beats, random_levels
from pairwise import pairwise
from shape_samples import join_shape
from timed_bench import TimedSource, first_sent, free_times, timed_run

from spikefold.ir.maps import Map
from spikefold_hw.streaming.join.clock import AddClock
from spikefold_hw.streaming.join.unit import AddUnit

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
    shape = join_shape(Map(channels), (4, 3), depths)
    cells = [random_levels(rng, most, (25, channels)) for most in (4, 3)]
    dut, clock = AddUnit(shape), AddClock(shape)
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
