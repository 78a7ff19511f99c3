"""Counters: each counts its own strobe, in its own way."""

import numpy as np
from stream_bench import simulate

from spikefold_hw.parts.counters import Counter, Counters

COUNTERS = (
    Counter("plain", "strobes"),
    Counter("small", "strobes", 4),
    Counter("wide", "sums", 6, step_bits=3),
    Counter("tired", "strobes", 5, "saturates"),
    Counter("marks", "bits", 3, "sticks", 3),
)


def test_counters_of_every_kind():
    dut = Counters(COUNTERS)
    rng = np.random.default_rng(0)
    sums = dict.fromkeys((counter.name for counter in COUNTERS), 0)

    async def read(ctx):
        ctx.set(dut.strobe_plain, 0)
        for counter in COUNTERS:
            ctx.set(dut.strobe(counter.name), 0)
        await ctx.tick().repeat(2)
        found = {}
        for number, counter in enumerate(COUNTERS):
            ctx.set(dut.select, number)
            await ctx.tick()
            found[counter.name] = ctx.get(dut.value)
        return found

    async def bench(ctx):
        marks = 0
        for _ in range(6):
            for _ in range(15):
                for counter in COUNTERS[:4]:
                    step = int(rng.integers(1 << counter.step_bits))
                    sums[counter.name] += step
                    ctx.set(dut.strobe(counter.name), step)
                bit = int(rng.choice([0, 0, 0, 0, 1, 4]))
                marks |= bit
                ctx.set(dut.strobe_marks, bit)
                await ctx.tick()
            assert await read(ctx) == {
                "plain": sums["plain"],
                "small": sums["small"] % 16,
                "wide": sums["wide"] % 64,
                "tired": min(sums["tired"], 31),
                "marks": marks,
            }
        assert marks == 5

    simulate(dut, bench)
    assert sums["tired"] > 31
    assert sums["small"] > 16
