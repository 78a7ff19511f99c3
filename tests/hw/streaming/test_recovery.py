"""Whatever was sent before: after one cycle of reset, and after any broken sample, good samples are right."""

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from cell_samples import random_levels
from layer_samples import contents_of, random_network, run_network
from stream_bench import Sink, Source, event_beats, pack, simulate, unpack

from spikefold_hw.streaming.network import NetworkTop
from spikefold_hw.streaming.planning import plan_of

PATIENCE = 4000
GOOD = 4
FLAGS = ("end_position", "end_step", "end_sample")


def case(seed):
    """A network of two layers, its top, and beats and logits of good samples."""
    rng = np.random.default_rng(seed)
    steps, static = 1 + seed % 3, bool(seed % 2)
    network = random_network(rng, steps=steps, static=static)
    plan = plan_of(network, dict.fromkeys(("layer0", "layer1", "readout"), 4))
    presented = plan.input.time.steps
    levels = random_levels(rng, network.input.levels, (GOOD * (1 if static else steps), network.input.size))
    levels = levels.reshape(GOOD, -1, network.input.size)
    rows = np.repeat(levels, presented // levels.shape[1], axis=1).reshape(-1, network.input.size)
    top = NetworkTop(plan, contents_of(network, plan))
    return top, event_beats(rows, steps=presented), run_network(network, levels).logits


def noise(rng, top, count):
    """Beats of any content; few of them end a sample."""
    fields = top.i.payload.shape().members
    beats = []
    for _ in range(count):
        beat = {name: int(rng.integers(1 << fields[name].width)) for name in ("index", "level")}
        beats.append(beat | {name: int(rng.random() < 0.2) for name in FLAGS})
    return beats


class Bench:
    """Sends beats to a top and collects results, whole ones only."""

    def __init__(self, ctx, top, rng):
        self.ctx, self.top, self.rng = ctx, top, rng
        self.results, self.partial = [], []

    async def send(self, beats, cycles=None, wanted=0):
        """Send for so many cycles, or until everything is taken and so many more results have come."""
        ctx, top, goal = self.ctx, self.top, len(self.results) + wanted
        shapes = top.i.payload.shape(), top.o.payload.shape()
        source = Source([pack(beat, shapes[0]) for beat in beats], 0.2, self.rng)
        sink, spent = Sink(0.2, True, self.rng), 0
        while spent < cycles if cycles is not None else not source.empty or len(self.results) < goal:
            offered, ready = source.choose(), sink.choose()
            ctx.set(top.i.valid, offered is not None)
            ctx.set(top.i.payload.as_value(), offered or 0)
            ctx.set(top.o.ready, ready)
            _, _, accepts, valid, word = await ctx.tick().sample(
                top.i.ready, top.o.valid, top.o.payload.as_value()
            )
            if offered is not None and accepts:
                source.taken()
            if valid and ready:
                beat = unpack(word, shapes[1])
                self.partial.append(beat["logit"])
                if beat["last"]:
                    self.results.append((beat["error"], self.partial))
                    self.partial = []
            spent += 1
            assert spent < PATIENCE, "stuck"
        ctx.set(top.i.valid, 0)
        ctx.set(top.o.ready, 0)


@pytest.mark.parametrize("seed", range(3))
def test_one_cycle_of_reset_recovers_at_any_moment(seed):
    top, good, logits = case(seed)
    clear = Signal()
    rng = np.random.default_rng(seed)

    async def run(ctx):
        for _ in range(6):
            bench = Bench(ctx, top, rng)
            await bench.send(noise(rng, top, 200) + good, cycles=int(rng.integers(1, 250)))
            ctx.set(clear, 1)
            await ctx.tick()
            ctx.set(clear, 0)
            bench = Bench(ctx, top, rng)
            await bench.send(good, wanted=GOOD)
            assert bench.results == [(0, row) for row in logits.tolist()]

    simulate(ResetInserter(clear)(top), run)


@pytest.mark.parametrize("seed", range(3))
def test_noise_spoils_no_sample_that_follows(seed):
    top, good, logits = case(seed)
    rng = np.random.default_rng(seed)
    end = [{"index": 0, "level": 0} | dict.fromkeys(FLAGS, 1)]

    async def run(ctx):
        bench = Bench(ctx, top, rng)
        for _ in range(6):
            beats = noise(rng, top, int(rng.integers(1, 100))) + end
            broken = sum(beat["end_sample"] for beat in beats)
            await bench.send(beats, wanted=broken)
            await bench.send(good, wanted=GOOD)
            assert bench.results[-GOOD:] == [(0, row) for row in logits.tolist()]

    simulate(top, run)
