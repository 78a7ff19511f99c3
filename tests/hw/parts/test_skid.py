"""Skid: the same beats in the same cycles, and a `ready` that no input of the cycle changes."""

import numpy as np
import pytest
from amaranth.lib import stream
from stream_bench import STALLS, simulate, stream_run

from spikefold_hw.parts.skid import Skid


@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.parametrize("stalls", [*STALLS, (0.0, 0.9), (0.9, 0.0)])
@pytest.mark.parametrize("bits", [1, 9])
def test_beats_stay_what_they_are(bits, stalls, eager):
    rng = np.random.default_rng(bits)
    beats = [0, (1 << bits) - 1, *map(int, rng.integers(0, 1 << bits, 200))]
    dut = Skid(stream.Signature(bits))
    record = stream_run(dut, beats, len(beats), stalls=stalls, eager=eager)
    assert record.beats == dut.model(beats)


def test_beats_pass_in_the_same_cycle_and_one_is_kept():
    beats = list(range(100))
    record = stream_run(Skid(stream.Signature(7)), beats, 100)
    assert record.taken == record.left == list(range(100))
    record = stream_run(Skid(stream.Signature(7)), beats, 100, stalls=(0.0, 0.6), seed=3)
    late = np.array(record.left) - np.array(record.taken)
    assert late.min() == Skid.latency == 0
    # The next beat is taken when the kept one has left, and no sooner.
    for k in late.nonzero()[0][:-1]:
        assert record.taken[k + 1] == record.left[k] + 1


def test_ready_is_a_register():
    dut = Skid(stream.Signature(3))

    async def bench(ctx):
        for cycle in range(40):
            before = ctx.get(dut.i.ready)
            for valid in (0, 1):
                for ready in (0, 1):
                    ctx.set(dut.i.valid, valid)
                    ctx.set(dut.o.ready, ready)
                    await ctx.delay(1e-9)
                    assert ctx.get(dut.i.ready) == before
            ctx.set(dut.i.valid, cycle % 3 != 0)
            ctx.set(dut.o.ready, cycle % 5 == 0)
            await ctx.tick()

    simulate(dut, bench)
