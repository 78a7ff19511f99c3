"""Occupancy against a plain count, at every limit."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from stream_bench import simulate

from spikefold_hw.parts.occupancy import Occupancy


class Counted(wiring.Component):
    """An `Occupancy` with ports."""

    def __init__(self, limit):
        super().__init__({"up": In(1), "down": In(1), "some": Out(1), "full": Out(1)})
        self._limit = limit

    def elaborate(self, platform):
        m = Module()
        count = Occupancy(m, "things", self._limit, self.up, self.down)
        m.d.comb += [self.some.eq(count.some), self.full.eq(count.full)]
        return m


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("rate", [0.2, 0.5, 0.8])
def test_flags_follow_the_count(limit, rate):
    dut, rng, seen = Counted(limit), np.random.default_rng(limit), set()

    async def bench(ctx):
        count = 0
        for _ in range(300):
            assert (ctx.get(dut.some), ctx.get(dut.full)) == (count != 0, count == limit)
            seen.add(count)
            down = int(count > 0 and rng.random() < 0.5)
            up = int(count - down < limit and rng.random() < rate)
            ctx.set(dut.up, up)
            ctx.set(dut.down, down)
            count += up - down
            await ctx.tick()

    simulate(dut, bench)
    assert {0, 1} <= seen
