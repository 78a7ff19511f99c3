"""The times of stages against their gateware, cycle by cycle, and the recursion over all stages by hand."""

from collections import Counter

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from cell_samples import window_beats
from random_networks import random_graph_levels
from random_plans import random_plan
from timed_bench import TimedSource, free_times, timed_run

from spikefold.golden import Golden
from spikefold_hw.fork import Fork
from spikefold_hw.parts.moves import NEVER
from spikefold_hw.streaming.kinds import KINDS
from spikefold_hw.streaming.times import InputTimes, Stream, Times, first_channel, run
from spikefold_hw.streams import connect


class OneStage(wiring.Component):
    """A stage with an input stream for each source, whichever of its ports read it."""

    def __init__(self, stage, contents):
        self.core = stage.core(contents)
        self._ports = {}
        for source, port in zip(stage.sources, self.core.inputs, strict=True):
            self._ports.setdefault(source, []).append(port)
        inputs = {f"i_{name}": In(ports[0].signature.flip()) for name, ports in self._ports.items()}
        super().__init__(inputs | {"o": Out(self.core.o.signature)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = self.core
        for name, ports in self._ports.items():
            m.submodules[f"fork_{name}"] = fork = Fork(ports[0].signature.flip(), len(ports))
            connect(m, wiring.flipped(getattr(self, f"i_{name}")), fork.i)
            for k, port in enumerate(ports):
                connect(m, getattr(fork, f"o{k}"), port)
        connect(m, self.core.o, wiring.flipped(self.o))
        return m


def check_stage(stage, plan, network, levels, rng, gap, pace):
    """Hold a stage's times to its gateware, between sources that pause and a sink that waits."""
    contents = {name: image.words for name, image in stage.images(network).items()}
    dut = OneStage(stage, contents)
    sources = {}
    for name in dict.fromkeys(stage.sources):
        cells = plan.time_of(name).in_cells(levels[name], plan.sources[name][0])
        beats = [window_beats([cell]) for cell in cells]
        sources[name] = TimedSource(getattr(dut, f"i_{name}"), beats, gap, gap > 0, rng)
    samples, per_sample = len(levels["input"]), stage.map.positions * stage.time.steps
    reads_out = stage is plan.stages[-1]
    # A readout's sink never waits.
    free = [NEVER] * samples if reads_out else free_times(rng, samples * per_sample, pace)
    mark = "last" if reads_out else "end_position"
    events = None if reads_out else []
    left = timed_run(dut, list(sources.values()), free, dut.core.cleared, mark, events)
    streams = {name: Stream() for name in (*sources, stage.name)}
    for name, source in sources.items():
        streams[name].marks[:] = source.marks
        streams[name].events[:] = [np.array(cycles, int) for cycles in source.events]
    if not reads_out:
        streams[stage.name].read_by(free.__getitem__, by_event=True)
    times = stage.times(levels, streams)
    run([times])
    marks = streams[stage.name].marks
    assert (marks[per_sample - 1 :: per_sample] if reads_out else marks) == left
    if not reads_out:
        assert np.concatenate(streams[stage.name].events).tolist() == events
    for name, source in sources.items():
        for cell, first in enumerate(source.firsts):
            assert first == max(source.offers[cell], streams[name].free(cell)), f"{name}, cell {cell}"


SEEDS = (10, 16, 37, 39, 43, 65, 106)
"""Of graphs that have every kind of stage, see the test below."""


@pytest.mark.parametrize(("gap", "pace"), [(0, 0), (12, 12)])
@pytest.mark.parametrize("seed", SEEDS)
def test_stages_of_random_graphs(seed, gap, pace):
    rng = np.random.default_rng([31, seed])
    network, plan = random_plan(rng, stages=4, neurons=40, edge=4, channels=3, steps=1 + seed % 3)
    x = random_graph_levels(rng, network, 3)
    levels = {"input": x, **Golden(network).run(x, record=True).levels}
    levels = {name: plan.presented(name, values) for name, values in levels.items()}
    for stage in plan.stages:
        check_stage(stage, plan, network, levels, rng, gap, pace)


def test_random_graphs_have_every_kind():
    """What the test above runs over."""
    seen = Counter()
    for seed in SEEDS:
        rng = np.random.default_rng([31, seed])
        _, plan = random_plan(rng, stages=4, neurons=40, edge=4, channels=3, steps=1 + seed % 3)
        seen.update(type(stage) for stage in plan.stages)
        seen["repeats"] += any(layer.repeats > 1 for layer in plan.layers)
        seen["skips"] += any(layer.skips for layer in plan.layers)
        seen["windows"] += any(len(layer.windows) > 1 for layer in plan.layers)
    assert min(seen.values()) >= 2, seen
    assert set(KINDS.values()) < set(seen)


class Later(Times):
    """Sends a cell some cycles after it came, and has room for one cell at a time."""

    def __init__(self, source, out, cycles):
        self._source, self._out, self._cycles = source, out, cycles
        source.read_by(self._free)

    def _free(self, cell):
        if cell == 0:
            return NEVER
        return self._out.marks[cell - 1] + 1 if cell <= len(self._out.marks) else None

    def advance(self):
        cell = len(self._out.marks)
        free = self._out.free(cell)
        if cell == len(self._source.marks) or free is None:
            return False
        self._out.marks.append(max(self._source.marks[cell] + self._cycles, free))
        return True


def test_input_sends_a_beat_an_event():
    """Two cells a sample; a silent cell takes a beat too, and a reader's room is waited for."""
    stream = Stream()
    stream.read_by([0, 5, 6, 7].__getitem__)
    source = InputTimes(np.array([[3, 1, 0], [0, 0, 0], [1, 1, 1], [0, 2, 0]]), 2, stream)
    run([source])
    assert stream.marks == [1, 5, 8, 9]
    assert source.starts == [0, 6]


def test_a_stream_is_free_when_all_its_readers_are():
    stream, rooms = Stream(), {}
    assert stream.free(0) == NEVER
    stream.read_by(lambda cell: 7)
    stream.read_by(rooms.get)
    assert stream.free(0) is None
    rooms[0] = 9
    assert stream.free(0) == 9


def test_stages_wait_for_each_other():
    """The second stage is slower: the first has room again only when the second took its cell."""
    first, second, out = Stream(), Stream(), Stream()
    source = InputTimes(np.ones((3, 1), int), 1, first)
    run([source, Later(first, second, 2), Later(second, out, 10)])
    # A cell leaves the first stage when the second has sent the one before.
    assert out.marks == [12, 23, 34]
    assert second.marks == [2, 13, 24]
    assert first.marks == [0, 3, 14]


def test_first_channel():
    cells = np.array([[0, 2, 1], [0, 0, 0], [5, 0, 0]])
    assert [first_channel(cell > 0) for cell in cells] == [1, 2, 0]
