"""A bench for clocks: sources and a sink that come at any time, and the cycles of what happens."""

import numpy as np
from amaranth.hdl import Const
from stream_bench import pack, simulate

PATIENCE = 3000


class TimedSource:
    """Offers cells beat by beat; pauses a random time before each cell and, if it `dawdles`, each beat.

    Attributes: cycles by cell of the first beat on offer, of the first, the mark and all events taken.
    """

    def __init__(self, interface, cells, gap, dawdles, rng):
        self.interface = interface
        shape = interface.payload.shape()
        self._beats = [
            (pack(beat, shape), k == 0, beat.get("level", 0) > 0)
            for cell in cells
            for k, beat in enumerate(cell)
        ]
        self.events = []
        self._gap, self._dawdles, self._rng = gap, dawdles, rng
        self._wait = 0
        self.offered, self.firsts, self.marks, self.offers = None, [], [], []

    def drive(self, ctx, cycle):
        if self.offered is None and self._beats:
            if self._wait == 0:
                self.offered = self._beats.pop(0)
                if self.offered[1]:
                    self.offers.append(cycle)
            else:
                self._wait -= 1
        ctx.set(self.interface.valid, self.offered is not None)
        if self.offered is not None:
            ctx.set(self.interface.payload.as_value(), self.offered[0])

    def saw(self, cycle, ready):
        if self.offered is None or not ready:
            return
        if self.offered[1]:
            self.firsts.append(cycle)
            self.events.append([])
        if self.offered[2]:
            self.events[-1].append(cycle)
        if not self._beats or self._beats[0][1]:
            self.marks.append(cycle)
            self._wait = int(self._rng.integers(0, self._gap + 1))
        elif self._dawdles:
            self._wait = int(self._rng.integers(0, 3))
        self.offered = None


def free_times(rng, cells, pace):
    """Cycles from which the sink takes each cell's first beat: far apart, close together, or long past."""
    return np.cumsum(rng.integers(0, 2 * pace + 1, cells) * (rng.random(cells) < 0.7)).tolist()


def timed_run(dut, sources, free, begin=None, mark="end_position", events=None):
    """Cycles of the beats on `o` with this flag; cell n's first beat is taken from cycle `free[n]` on.

    Cycle 0 is the first in which `begin` is set. Cycles of all events are added to `events`, if given.
    """
    marks = []
    level = dut.o.payload.level if events is not None else Const(0)

    async def bench(ctx):
        if begin is not None:
            await ctx.tick().until(begin)
        cycle = 0
        while len(marks) < len(free):
            assert cycle < PATIENCE
            for source in sources:
                source.drive(ctx, cycle)
            ready = cycle >= free[len(marks)]
            ctx.set(dut.o.ready, ready)
            sampled = await ctx.tick().sample(
                dut.o.valid, dut.o.payload[mark], level, *(s.interface.ready for s in sources)
            )
            valid, ends, fires, *accepts = sampled[2:]
            for source, accept in zip(sources, accepts, strict=True):
                source.saw(cycle, accept)
            if valid and ready and fires:
                events.append(cycle)
            if valid and ready and ends:
                marks.append(cycle)
            cycle += 1

    simulate(dut, bench)
    return marks


def first_sent(levels):
    """Index of the first channel that sends an event, or the last one's, which sends the mark."""
    return int((levels > 0).argmax()) if levels.any() else len(levels) - 1
