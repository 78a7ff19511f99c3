"""Fork: every reader gets every beat once, in the same cycle as the others."""

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.lib import stream
from stream_bench import STALLS, Sink, Source, simulate

from spikefold_hw.fork import Fork


def run(count, beats, stalls, seed):
    """Beats that each reader took, with their cycles."""
    dut = Fork(stream.Signature(8), count)
    rng = np.random.default_rng(seed)
    source = Source(beats, stalls[0], rng)
    sinks = [Sink(stalls[1], True, rng) for _ in range(count)]
    outputs = [getattr(dut, f"o{k}") for k in range(count)]
    taken = [[] for _ in outputs]

    async def bench(ctx):
        cycle = 0
        while not source.empty:
            assert cycle < 100_000, "stuck"  # five readers that pause in 0.7 of all cycles meet rarely
            offered, ready = source.choose(), [sink.choose() for sink in sinks]
            ctx.set(dut.i.valid, offered is not None)
            ctx.set(dut.i.payload, offered or 0)
            for output, is_ready in zip(outputs, ready, strict=True):
                ctx.set(output.ready, is_ready)
            watched = [value for output in outputs for value in (output.valid, output.payload)]
            _, _, accepts, *seen = await ctx.tick().sample(dut.i.ready, *watched)
            for reader, is_ready, valid, payload in zip(taken, ready, seen[::2], seen[1::2], strict=True):
                if is_ready and valid:
                    reader.append((cycle, payload))
            if offered is not None and accepts:
                source.taken()
            cycle += 1

    clocked = Module()  # the fork has no registers, hence no clock of its own
    clocked.domains.sync = ClockDomain()
    clocked.submodules.dut = dut
    simulate(clocked, bench)
    return taken


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_every_reader_takes_every_beat_in_one_cycle(count, stalls):
    beats = [int(beat) for beat in np.random.default_rng(count).integers(0, 256, 60)]
    taken = run(count, beats, stalls, seed=count)
    assert [payload for _, payload in taken[0]] == beats
    assert all(reader == taken[0] for reader in taken)
