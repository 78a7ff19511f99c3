"""Whole networks in Amaranth's simulator against `Neuron.step`, and their counters."""

from dataclasses import replace

import numpy as np
import pytest
from cell_samples import random_levels
from layer_samples import contents_of, random_network, run_network
from stream_bench import Sink, Source, event_beats, pack, simulate, unpack

from spikefold.ir import Network
from spikefold.ir.coding import CODINGS
from spikefold_hw.parts.input_rules import CAUSES
from spikefold_hw.streaming.network import NetworkTop
from spikefold_hw.streaming.outside import counters_of
from spikefold_hw.streaming.planning import plan_of

PATIENCE = 5000
VIOLATIONS = ("violations", *(f"violations_{cause}" for cause in CAUSES))


def network_run(dut, levels, stalls=(0, 0), style="riding", seed=0):
    """Logits, classes and counters after the last result, and the cycles since the first input beat."""
    rng = np.random.default_rng(seed)
    levels = np.repeat(levels, dut.plan.input.time.steps // levels.shape[1], axis=1)
    samples, presented, size = levels.shape
    shapes = dut.i.payload.shape(), dut.o.payload.shape()
    beats = event_beats(levels.reshape(-1, size), style=style, steps=presented)
    source, sink = (
        Source([pack(beat, shapes[0]) for beat in beats], stalls[0], rng),
        Sink(stalls[1], True, rng),
    )
    logits, classes, counters, span = [[]], [], {}, []

    async def bench(ctx):
        cycle, last, first = 0, 0, None
        while len(classes) < samples:
            assert cycle - last < PATIENCE, f"stuck after {len(classes)} of {samples} samples"
            offered, ready = source.choose(), sink.choose()
            ctx.set(dut.i.valid, offered is not None)
            if offered is not None:
                ctx.set(dut.i.payload.as_value(), offered)
            ctx.set(dut.o.ready, ready)
            _, _, accepts, valid, word = await ctx.tick().sample(
                dut.i.ready, dut.o.valid, dut.o.payload.as_value()
            )
            if offered is not None and accepts:
                source.taken()
                first = cycle if first is None else first
                last = cycle
            if valid and ready:
                beat = unpack(word, shapes[1])
                assert beat["index"] == len(logits[-1])
                logits[-1].append(beat["logit"])
                if beat["last"]:
                    classes.append(beat["winner"])
                    logits.append([])
                last = cycle
            cycle += 1
        ctx.set(dut.o.ready, 1)
        for k, counter in enumerate(counters_of(dut.plan)):
            ctx.set(dut.counter_select, k)
            for _ in range(4):
                _, _, extra = await ctx.tick().sample(dut.o.valid)
                assert not extra
            counters[counter.name] = ctx.get(dut.counter_value)
        span.append(cycle - first)

    simulate(dut, bench)
    return np.array(logits[:-1]), classes, counters, span[0]


def check_network(network, plan, levels, **options):
    expected = run_network(network, levels)
    logits, classes, counters, span = network_run(
        NetworkTop(plan, contents_of(network, plan)), levels, **options
    )
    assert logits.tolist() == expected.logits.tolist()
    assert classes == expected.logits.argmax(axis=1).tolist()
    # `cycles` starts one cycle after the first beat and is read, like all, through two registers.
    assert counters.pop("cycles") == span
    want = {"samples": len(levels)} | {f"events_{name}": n for name, n in expected.events.items()}
    want["events_input"] *= plan.input.time.steps // levels.shape[1]
    capped = [p.name for p in network.populations if p.neuron and p.neuron.membrane_bits is not None]
    assert not any(counters.pop(name) for name in VIOLATIONS)
    assert counters == want | {f"saturations_{name}": expected.saturations[name] for name in capped}
    return counters


def random_case(seed, samples=5):
    """A network with every feature drawn at random, its plan and levels for it."""
    rng = np.random.default_rng(seed)
    steps, static = int(rng.choice([1, 2, 3])), bool(rng.random() < 0.5)
    network = random_network(rng, steps=steps, static=static)
    lanes = {p.name: int(rng.integers(1, 9)) for p in network.populations}
    size, largest = network.input.size, network.input.levels
    # Many unary levels would only take long.
    codings = [[c for c in CODINGS if c != "unary" or largest < 16], CODINGS, CODINGS]
    coding = dict(zip(("input", "layer0", "layer1"), map(str, map(rng.choice, codings)), strict=True))
    levels = random_levels(rng, largest, (samples * (1 if static else steps), size))
    levels = levels.reshape(samples, -1, size)
    levels[1], levels[2] = 0, largest
    return network, plan_of(network, lanes, coding), levels


@pytest.mark.parametrize("stalls", [(0, 0), (0.5, 0.5)], ids=["flowing", "stalled"])
@pytest.mark.parametrize("seed", range(12))
def test_random_network(seed, stalls):
    network, plan, levels = random_case(seed)
    check_network(network, plan, levels, stalls=stalls, style="riding" if seed % 2 else "bare", seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("stalls", [(0, 0), (0.7, 0), (0, 0.7), (0.4, 0.8)])
@pytest.mark.parametrize("seed", range(100, 130))
def test_random_network_sweep(seed, stalls):
    network, plan, levels = random_case(seed, samples=10)
    check_network(network, plan, levels, stalls=stalls, seed=seed)


def test_random_networks_are_lively():
    """What the tests above compare must not be silence: results differ, events flow, membranes clip."""
    runs = [run_network(network, levels) for network, _, levels in map(random_case, range(12))]
    assert sum(count for run in runs for count in run.saturations.values()) > 20
    assert sum(min(run.events.values()) > 10 for run in runs) >= 9
    assert sum(len(np.unique(run.logits, axis=0)) > 2 for run in runs) >= 9


def test_network_is_the_readout_alone():
    network, _, levels = random_case(3)
    readout = network.readout
    rng = np.random.default_rng(0)
    projection = type(readout.projections[0])("input", rng.integers(-8, 8, (1, readout.channels, 8)), 4)
    single = Network(network.input, 1, (type(readout)("readout", (projection,), readout.bias[:1]),))
    check_network(single, plan_of(single, {"readout": 2}, {}), levels[:, :1])


def test_samples_overlap_in_the_layers():
    """Samples in a stream leave faster than one after the other alone."""
    network, plan, levels = random_case(0, samples=6)
    contents = contents_of(network, plan)
    together = network_run(NetworkTop(plan, contents), levels)[3]
    alone = sum(network_run(NetworkTop(plan, contents), levels[k : k + 1])[3] for k in range(6))
    assert together < 0.8 * alone


def test_counter_names_follow_the_plan():
    network, plan, _ = random_case(0)
    capped = [p.name for p in network.populations if p.neuron and p.neuron.membrane_bits is not None]
    assert tuple(counter.name for counter in counters_of(plan)) == (
        "cycles",
        "samples",
        "events_input",
        "events_layer0",
        "events_layer1",
        *(f"saturations_{name}" for name in capped),
        *VIOLATIONS,
    )
    plain = counters_of(replace(plan, checks=False))
    assert plain == counters_of(plan)[: -len(VIOLATIONS)]
