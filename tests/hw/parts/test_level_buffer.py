"""LevelBuffer: cells come out as they went in, whatever lay there before, at the documented cycles."""

import numpy as np
import pytest
from amaranth.sim import Simulator
from stream_bench import event_beats, pack

from spikefold.errors import ModelError
from spikefold_hw.parts.level_buffer import LevelBuffer, level_memories


def random_cells(rng, count, channels, levels):
    """Cells from empty to full, (count, channels)."""
    cells = rng.integers(0, levels + 1, (count, channels))
    cells *= rng.random(cells.shape) < rng.random((count, 1))
    cells[rng.random(count) < 0.2] = 0
    cells[rng.random(count) < 0.1] = levels
    return cells


class Bench:
    """Plays source and reader, each with pauses; keeps the cycles of all that happens."""

    def __init__(self, buffer, cells, *, pauses=(0.0, 0.0, 0.0), style="riding", seed=0, read_from=0):
        self.dut = buffer
        self.words = cells.shape[1] // len(buffer.levels)
        shape = buffer.i.signature.members["payload"].shape
        self.beats = [pack(beat, shape) for beat in event_beats(cells, style=style)]
        self.pauses = pauses
        self.rng = np.random.default_rng(seed)
        self.total = len(cells) * self.words
        self.read_from = read_from
        self.taken, self.available, self.asked, self.got = [], [], [], []

    def run(self):
        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(self._bench)
        simulator.run()
        return np.array(self.got)

    async def _bench(self, ctx):
        dut, cycle, offers = self.dut, 0, False
        pipeline = [False] * dut.latency
        while len(self.got) < self.total:
            assert cycle < 100 * (len(self.beats) + self.total) + 1000, "stuck"
            offers = offers or (len(self.taken) < len(self.beats) and self.rng.random() >= self.pauses[0])
            ctx.set(dut.i.valid, offers)
            if offers:
                ctx.set(dut.i.payload.as_value(), self.beats[len(self.taken)])
            advance = self.rng.random() >= self.pauses[1]
            there = ctx.get(dut.available)
            self.available.append(there)
            first = len(self.asked) % self.words == 0
            wants = (
                len(self.asked) < self.total
                and self.rng.random() >= self.pauses[2]
                and cycle >= self.read_from
            )
            asks = bool(advance and wants and (there or not first))
            if not first:
                assert there
            ctx.set(dut.advance, advance)
            ctx.set(dut.next, asks)
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            if offers and ready:
                self.taken.append(cycle)
                offers = False
            if asks:
                self.asked.append(cycle)
            if advance:
                pipeline = [asks, *pipeline[:-1]]
                if pipeline[-1]:
                    self.got.append([ctx.get(level) for level in dut.levels])
            cycle += 1


PAUSES = ((0, 0, 0), (0, 0.5, 0), (0.5, 0.5, 0.5), (0.9, 0, 0), (0, 0.8, 0.3))


@pytest.mark.parametrize("style", ["riding", "bare"])
@pytest.mark.parametrize(
    ("channels", "units", "levels", "depth"),
    [
        (1, 1, 1, 1),
        (1, 1, 5, 3),
        (4, 4, 3, 2),
        (5, 1, 4, 1),
        (6, 2, 255, 3),
        (6, 3, 4, 5),
        (30, 5, 2, 2),
        (32, 1, 1, 3),
        (33, 1, 4, 2),
        (70, 1, 3, 3),
        (80, 2, 3, 1),
        (96, 1, 1, 2),
    ],
)
def test_cells_come_out_as_they_went_in(channels, units, levels, depth, style):
    for seed, pauses in enumerate(PAUSES if channels < 40 else PAUSES[1:3]):
        rng = np.random.default_rng(seed)
        cells = random_cells(rng, 2 * depth + 5, channels, levels)
        buffer = LevelBuffer(channels, units, levels, depth)
        got = Bench(buffer, cells, pauses=pauses, style=style, seed=seed).run()
        assert (got.reshape(cells.shape) == cells).all()


@pytest.mark.parametrize(("channels", "units"), [(3, 1), (4, 4), (6, 2), (40, 1)])
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_documented_cycles(channels, units, depth):
    """Mark to `available`, last word read to room, and no other pause for the source."""
    rng = np.random.default_rng(depth)
    cells = random_cells(rng, 3 * depth + 4, channels, 3)
    start = 60 + depth * channels
    bench = Bench(LevelBuffer(channels, units, 3, depth), cells, seed=1, read_from=start)
    bench.run()
    counts = np.maximum((cells > 0).sum(axis=1), 1)
    firsts = np.cumsum(counts) - counts
    taken, asked, words = np.array(bench.taken), np.array(bench.asked), channels // units
    marks, freed = taken[firsts + counts - 1], asked[words - 1 :: words]
    assert bench.available.index(1) == marks[0] + LevelBuffer.fill_latency
    for k, first in enumerate(firsts):
        # The buffer is full until the cell `depth` before was read; a cell's beats follow each other.
        earliest = 0 if k == 0 else marks[k - 1] + 1
        earliest = max(earliest, freed[k - depth] + 1) if k >= depth else earliest
        assert taken[first] == earliest
        assert (np.diff(taken[first : first + counts[k]]) == 1).all()
        wanted = max(marks[k] + LevelBuffer.fill_latency, start if k == 0 else freed[k - 1] + 1)
        assert asked[k * words] == wanted
        assert (np.diff(asked[k * words : (k + 1) * words]) == 1).all()


def test_memories_have_no_spare_rows():
    assert level_memories(24, 4, 5, 7) == {"levels": (12, 42), "cells": (6, 7)}
    assert level_memories(512, 1, 4, 5) == {
        "levels": (3, 2560),
        "chunks": (32, 80),
        "cells": (16, 5),
    }


@pytest.mark.usefixtures("not_elaborated")
@pytest.mark.parametrize(
    ("units", "depth", "message"),
    [
        (4, 1, r"^Units of a level buffer must divide its 6 channels, not be 4$"),
        (0, 1, r"^Units of a level buffer must divide its 6 channels, not be 0$"),
        (2, 0, r"^Depth of a level buffer must be at least 1, not 0$"),
    ],
)
def test_refusals(units, depth, message):
    with pytest.raises(ModelError, match=message):
        LevelBuffer(6, units, 3, depth)
