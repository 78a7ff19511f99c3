"""DrainClock against the gateware: every flush, every cell's last beat, every skip's room, to the cycle."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from layer_samples import random_weight, sample_layer
from stream_bench import pack, simulate, unpack

from spikefold.ir import Neuron
from spikefold_hw.parts.lanes import AccumulateCore
from spikefold_hw.parts.moves import NEVER
from spikefold_hw.parts.neuron import NeuronUnit
from spikefold_hw.parts.readout import Readout
from spikefold_hw.streaming.drain.clock import DrainClock, unit_latency
from spikefold_hw.streaming.drain.repeater import CurrentRepeater
from spikefold_hw.streams import connect


class Drain(wiring.Component):
    """Lanes, repeater and unit of a layer."""

    def __init__(self, layer, contents):
        bits = layer.widths.accumulator
        self.parts = {"accumulate": AccumulateCore(layer.lanes_shape, contents)}
        if layer.repeats > 1:
            self.parts["repeater"] = CurrentRepeater(layer.blocks, bits, layer.repeats)
        unit = NeuronUnit if layer.neuron else Readout
        self.unit = self.parts["unit"] = unit(layer.drain_shape, contents)
        self.skips = [f"skip{k}" for k in range(len(layer.skips))]
        ports = {name: In(getattr(self.unit, name).signature.flip()) for name in self.skips}
        first = self.parts["accumulate"].i.signature
        super().__init__({"i": In(first.flip()), "o": Out(self.unit.o.signature)} | ports)

    def elaborate(self, platform):
        m = Module()
        source = wiring.flipped(self.i)
        for name, part in self.parts.items():
            m.submodules[name] = part
            connect(m, source, part.i)
            source = part.o
        connect(m, source, wiring.flipped(self.o))
        for name in self.skips:
            connect(m, wiring.flipped(getattr(self, name)), getattr(self.unit, name))
        return m


@dataclass
class Feed:
    """Plays beats in order, each after some idle cycles, and keeps when they were offered and taken."""

    port: object
    beats: list
    pauses: list
    offered: list = field(default_factory=list)
    taken: list = field(default_factory=list)
    rest: int = 0

    def __post_init__(self):
        self.rest = self.pauses[0]

    def drive(self, ctx, cycle):
        k = len(self.taken)
        valid = k < len(self.beats) and self.rest == 0
        if valid and len(self.offered) == k:
            self.offered.append(cycle)
            ctx.set(self.port.payload.as_value(), self.beats[k])
        ctx.set(self.port.valid, valid)
        self.rest = max(0, self.rest - 1)
        return valid

    def took(self, cycle):
        self.taken.append(cycle)
        if len(self.taken) < len(self.beats):
            self.rest = self.pauses[len(self.taken)]


@dataclass
class Run:
    """What the gateware did: cycles by cell, and what came out."""

    digits: Feed
    skips: list
    free: list = field(default_factory=list)
    ends: list = field(default_factory=list)
    beats: list = field(default_factory=list)


def run_drain(dut, digits, skips, cells, rng, patience):
    """Play digits and skips; a cell's beats are taken from a random cycle on, `patience` at most to wait."""
    run = Run(Feed(dut.i, *digits), [Feed(getattr(dut, f"skip{k}"), *s) for k, s in enumerate(skips)])
    feeds, shape = [run.digits, *run.skips], dut.o.payload.shape()
    marks = "last" if isinstance(dut.unit, Readout) else "end_position"

    def next_free(cycle):
        return cycle + int(rng.integers(patience + 1)) * int(rng.random() < 0.6) if patience else NEVER

    async def bench(ctx):
        cycle, last = 0, 0
        run.free.append(next_free(0))
        while len(run.ends) < cells:
            assert cycle - last < 3000, "stuck"
            valid = [feed.drive(ctx, cycle) for feed in feeds]
            ready = cycle >= run.free[-1]
            ctx.set(dut.o.ready, ready)
            ports = [feed.port.ready for feed in feeds]
            _, _, sends, word, *accepts = await ctx.tick().sample(
                dut.o.valid, dut.o.payload.as_value(), *ports
            )
            for feed, offers, taken in zip(feeds, valid, accepts, strict=True):
                if offers and taken:
                    feed.took(cycle)
                    last = cycle
            if sends and ready:
                beat = unpack(word, shape)
                run.beats.append((cycle, beat["index"], beat.get("level", 1)))
                last = cycle
                if beat[marks]:
                    run.ends.append(cycle)
                    run.free.append(next_free(cycle + 1))
            cycle += 1

    simulate(dut, bench)
    return run


def digit_feed(rng, layer, dut, currents, busy):
    """Random digits before every flush, and random pauses."""
    shape = dut.i.payload.shape()
    beats, pauses = [], []
    for _ in range(currents * layer.blocks.count):
        kind = rng.random()
        for _ in range(int(rng.integers(0, busy + 1)) if kind < 0.7 else 0):
            beats.append({"row": int(rng.integers(layer.lanes_shape.rows(0)))})
            pauses.append(int(rng.integers(0, 3)) * int(rng.random() < 0.1))
        beats.append({"flush": 1})
        pauses.append(int(rng.integers(0, 30)) if kind > 0.95 else 0)
    return [pack(beat, shape) for beat in beats], pauses


def skip_feed(rng, shape, channels, levels, cells):
    """Random cells of a skip's source; returns beats, pauses and where each cell starts and ends."""
    beats, pauses, starts, ends = [], [], [], []
    for _ in range(cells):
        fires = np.flatnonzero(rng.random(channels) < rng.choice([0, 0.3, 1]))
        events = [{"index": int(k), "level": int(rng.integers(1, levels + 1))} for k in fires] or [{}]
        events[-1]["end_position"] = 1
        starts.append(len(beats))
        beats += [pack(event, shape) for event in events]
        pauses += [int(rng.integers(0, 40)) if rng.random() < 0.2 else 0] + [0] * (len(events) - 1)
        ends.append(len(beats) - 1)
    return beats, pauses, starts, ends


def counts_of(run, layer):
    """Events of every word of every cell, from what came out."""
    counts, cell = np.zeros((len(run.ends), layer.blocks.words), int), 0
    for cycle, index, level in run.beats:
        counts[cell, index // layer.units] += level > 0
        cell += cycle == run.ends[cell]
    return counts


def check_clock(
    seed,
    *,
    channels,
    lanes,
    units=1,
    steps=1,
    order="position_major",
    size=None,
    groups=1,
    static=False,
    skips=(),
    readout=False,
    busy=6,
    patience=0,
    neuron=None,
    samples=None,
):
    rng = np.random.default_rng(seed)
    levels = int(rng.integers(1, 4))
    bias = rng.integers(-30, 30, (1, channels))
    theta = rng.integers(1, 12, (1, channels))
    features = neuron or {"reset": "zero", "rounding": "floor"}
    sample = sample_layer(
        random_weight(rng, 4, (1, channels, 3)),
        4,
        levels=1,
        steps=steps,
        static=static,
        lanes=lanes,
        units=units,
        order=order,
        bias=bias,
        neuron=None if readout else Neuron(levels, theta, **features),
        size=size,
        groups=groups,
        skips=[(largest, random_weight(rng, 3, (1, channels)), 3) for largest in skips],
    )
    layer = sample.layer
    positions = layer.map.positions
    samples = samples or max(3, 40 // (steps * positions))
    cells = samples * steps * positions
    dut = Drain(layer, sample.contents)
    digits = digit_feed(rng, layer, dut, cells // layer.repeats, busy)
    feeds = [
        skip_feed(rng, getattr(dut, f"skip{k}").payload.shape(), channels, skip.buffer.levels, cells)
        for k, skip in enumerate(layer.skips)
    ]
    ended = samples if readout else cells
    run = run_drain(dut, digits, [feed[:2] for feed in feeds], ended, rng, 0 if readout else patience)
    compare(run, layer, feeds, digits[0], dut)


def compare(run, layer, feeds, digits, dut):
    clock, steps = DrainClock(layer.drain_shape, layer.lanes_shape, layer.repeats), layer.time.steps
    readout = layer.neuron is None
    cells = len(run.ends) * (steps * layer.map.positions if readout else 1)
    flush_bit = pack({"flush": 1}, dut.i.payload.shape())
    flushes = [k for k, digit in enumerate(digits) if digit == flush_bit]
    flushes = [(run.digits.offered[k], run.digits.taken[k]) for k in flushes]
    counts = None if readout else counts_of(run, layer)
    freed = [[] for _ in feeds]
    for cell in range(cells):
        marks = [played.taken[feed[3][cell]] for played, feed in zip(run.skips, feeds, strict=True)]
        clock.begin(NEVER if readout else run.free[cell], None if readout else counts[cell], marks)
        if cell % layer.repeats == 0:
            for offered, taken in flushes[: layer.blocks.count]:
                assert clock.flush(offered) == taken, f"flush of cell {cell}"
            flushes = flushes[layer.blocks.count :]
        end = clock.end()
        if not readout:
            assert end == run.ends[cell], f"cell {cell}"
        elif cell % steps == steps - 1:
            assert end == run.ends[cell // steps], f"sample {cell // steps}"
        for k, room in enumerate(freed):
            room.append(clock.skip_freed(k))
    assert not flushes
    for k, (played, feed) in enumerate(zip(run.skips, feeds, strict=True)):
        depth = layer.skips[k].buffer.depth
        for cell, first in enumerate(feed[2]):
            room = freed[k][cell - depth] if cell >= depth else NEVER
            assert played.taken[first] == max(played.offered[first], room), f"skip {k}, cell {cell}"


SHAPES = [
    {"channels": 1, "lanes": 1},
    {"channels": 7, "lanes": 3},
    {"channels": 20, "lanes": 8},
    {"channels": 5, "lanes": 5},
    {"channels": 6, "lanes": 2, "groups": 2, "size": (1, 2)},
    {"channels": 10, "lanes": 4, "groups": 2, "size": (1, 1)},
    {"channels": 2, "lanes": 2, "units": 2},
    {"channels": 4, "lanes": 4, "units": 4},
    {"channels": 12, "lanes": 4, "units": 2},
    {"channels": 20, "lanes": 8, "units": 4},
    {"channels": 24, "lanes": 6, "units": 3},
    {"channels": 18, "lanes": 6, "units": 3, "groups": 2, "size": (1, 2)},
]


def name_of(options):
    return "-".join(f"{name}{value}".replace(" ", "") for name, value in options.items())


@pytest.mark.parametrize(("busy", "patience"), [(0, 0), (4, 6), (0, 60), (30, 60)])
@pytest.mark.parametrize("options", SHAPES, ids=name_of)
def test_one_time_step(options, busy, patience):
    check_clock(busy + patience, **options, busy=busy, patience=patience)


TIMES = [
    {"order": "position_major", "steps": 2},
    {"order": "position_major", "steps": 3, "size": (1, 2)},
    {"order": "step_major", "steps": 3},
    {"order": "step_major", "steps": 2, "size": (2, 2)},
    {"order": "position_major", "steps": 2, "static": True},
    {"order": "position_major", "steps": 4, "static": True, "size": (1, 3)},
]


def check_steps(options, times, patience):
    options = options | times
    options = options if "groups" not in options or "size" in options else options | {"size": (1, 1)}
    check_clock(3 + patience, **options, busy=3, patience=patience)


@pytest.mark.parametrize(
    ("options", "times"),
    [(shape, TIMES[(k + turn) % len(TIMES)]) for k, shape in enumerate(SHAPES) for turn in (0, 4)],
    ids=name_of,
)
def test_several_time_steps(options, times):
    check_steps(options, times, 25)


@pytest.mark.slow
@pytest.mark.parametrize("patience", [0, 4, 80])
@pytest.mark.parametrize("times", TIMES, ids=name_of)
@pytest.mark.parametrize("options", SHAPES, ids=name_of)
def test_all_time_steps(options, times, patience):
    check_steps(options, times, patience)


@pytest.mark.parametrize(
    "neuron",
    [
        {"reset": "subtract"},
        {"reset": "none", "membrane_bits": 6},
        {"reset": "zero", "membrane_bits": 9, "rounding": "half_up"},
    ],
    ids=name_of,
)
@pytest.mark.parametrize("options", SHAPES[::3], ids=name_of)
def test_other_neurons(options, neuron):
    options = options if "size" in options else options | {"size": (1, 1)}
    check_clock(9, **options, steps=3, neuron=neuron, patience=12)


@pytest.mark.parametrize(("busy", "patience", "skips"), [(0, 0, (1,)), (0, 30, (9, 2)), (20, 0, (9, 2))])
@pytest.mark.parametrize(
    "options",
    [
        {"channels": 6, "lanes": 4, "size": (1, 2)},
        {"channels": 8, "lanes": 4, "units": 2, "size": (1, 2), "steps": 2},
        {"channels": 3, "lanes": 3, "units": 3, "size": (2, 2), "steps": 3, "order": "step_major"},
    ],
    ids=name_of,
)
def test_skips(options, skips, busy, patience):
    check_clock(len(skips), **options, skips=skips, busy=busy, patience=patience, samples=12)


@pytest.mark.parametrize("busy", [0, 12])
@pytest.mark.parametrize(("steps", "static"), [(1, False), (3, False), (3, True)])
@pytest.mark.parametrize(
    "options",
    [
        {"channels": 1, "lanes": 1},
        {"channels": 10, "lanes": 4},
        {"channels": 4, "lanes": 4, "units": 2},
        {"channels": 12, "lanes": 6, "units": 3},
        {"channels": 8, "lanes": 8, "units": 4, "size": (1, 1), "skips": (3,)},
    ],
    ids=name_of,
)
def test_readouts(options, steps, static, busy):
    static = static and "skips" not in options
    check_clock(busy, **options, steps=steps, static=static, readout=True, busy=busy)


def test_latency_of_the_unit():
    sample = sample_layer(np.ones((1, 4, 3), int), 2, neuron=Neuron(3, np.ones((1, 4), int)))
    assert unit_latency(sample.drain_shape) == 5
    assert unit_latency(sample_layer(np.ones((1, 4, 3), int), 2).drain_shape) == 4
