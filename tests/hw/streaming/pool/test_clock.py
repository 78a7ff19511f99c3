"""PoolClock against the gateware, cycle by cycle, with a source and a sink that come at any time."""

import numpy as np
import pytest
from cell_samples import random_levels, window_beats
from timed_bench import TimedSource, first_sent, free_times, timed_run

from spikefold.ir.maps import Map
from spikefold_hw.order import Time
from spikefold_hw.parts.pool import PoolUnit
from spikefold_hw.parts.shapes import PoolShape
from spikefold_hw.streaming.pool.clock import PoolClock


@pytest.mark.parametrize("channels", [1, 2, 3, 16])
@pytest.mark.parametrize(("gap", "pace"), [(0, 0), (0, 30), (40, 5), (40, 90)])
def test_pool_clock(channels, gap, pace):
    rng = np.random.default_rng(channels * 1000 + gap * 100 + pace)
    shape = PoolShape(Map(channels, 1, 30), "sum", 3, 12, Time(1, "step_major"))
    windows = random_levels(rng, 3, (30, 4, channels))
    dut, clock = PoolUnit(shape), PoolClock(channels)
    free = free_times(rng, len(windows), pace)
    source = TimedSource(dut.i, [window_beats(w) for w in windows], gap, gap > 0, rng)
    marks = timed_run(dut, [source], free, dut.cleared)
    for n, window in enumerate(windows):
        assert source.firsts[n] == max(source.offers[n], clock.accepts())
        assert marks[n] == clock.window(source.marks[n], first_sent(window.sum(axis=0)), free[n])
