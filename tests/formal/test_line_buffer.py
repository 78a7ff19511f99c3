"""LineBuffer: every window holds the events under it, each once and in order, under any stalls."""

import pytest
from amaranth.hdl import Array, Const, Mux, Signal
from beats import accept, offer
from faults import FAULTS, Faulty, fault_cases
from memories import AnyMemories
from proof import Proof
from prover import prove, refute
from shape_samples import buffered_window

from spikefold.ir.maps import Map
from spikefold_hw.streaming.window.line_buffer import LineBuffer


def line_proof(window, fault=None):
    """The prover picks a map, a window of it, a tap under it and a channel of the window's group.

    The window must bring the tap's event if there is one, once, and no other; indices ascend.
    """
    proof, dut = Proof(), Faulty(LineBuffer(window), fault)
    proof.m.submodules.dut = dut
    i, o = offer(proof, dut.i, "i"), accept(proof, dut.o, "o")
    chosen = _Chosen(proof, window)
    coming, leaving = _Coming(proof, i, window), _Leaving(proof, o, window)
    m, maps = proof.m, Signal(range(6), name="maps")
    m.d.sync += maps.eq(maps + coming.begins - leaving.ends)
    picks, picked, mine, over = (Signal(name=n) for n in ("picks", "picked", "mine", "over"))
    ahead, level = Signal.like(maps), Signal(len(i.payload.level), name="kept_level")
    m.d.comb += picks.eq(coming.begins & proof.free(1, "pick") & ~picked)
    with m.If(picks):
        m.d.sync += [picked.eq(1), ahead.eq(maps - leaving.ends)]
    with m.Elif(leaving.ends & (ahead != 0)):
        m.d.sync += ahead.eq(ahead - 1)
    m.d.sync += mine.eq((picks | mine) & ~coming.ends)
    event = i.payload
    source = chosen.inside & (coming.cell == chosen.cell) & (event.index == chosen.channel)
    with m.If(i.moves & (picks | mine) & source & (event.level != 0)):
        m.d.sync += level.eq(event.level)
    turn = picked & (ahead == 0) & ~over
    with m.If(turn & leaving.ends):
        m.d.sync += over.eq(1)
    its = turn & (leaving.window == chosen.window) & o.moves
    hit = its & (o.payload.index == chosen.index) & (o.payload.level != 0)
    seen = Signal()
    with m.If(its):
        m.d.sync += seen.eq(seen | hit)
    for name, value in (("turn", turn), ("window", leaving.window), ("kept", level)):
        proof.show(name, value)
    proof.check("an event comes as it was, and once", ~hit | (~seen & (o.payload.level == level)))
    proof.check("no event is missing", ~(its & o.payload.end_position) | (level == 0) | seen | hit)
    proof.check("maps under way", maps <= 4)
    proof.check(
        "indices are those of the window",
        ~o.moves | (o.payload.index < window.inputs) | (o.payload.level == 0),
    )
    proof.check("events ascend", ~o.moves | (o.payload.level == 0) | leaving.ascends)
    return proof


class _Chosen:
    """A window, a tap and a channel, and where in the map their event comes from."""

    def __init__(self, proof, window):
        geometry, taps = window.geometry, window.taps
        table = [
            (w, t, c, *self._source(window, w, t, c))
            for w in range(geometry.outputs * window.steps * window.groups)
            for t in range(taps)
            for c in range(window.channels)
        ]
        place = proof.constant(range(len(table)), "choice")
        proof.assume(place < len(table))
        columns = [Array(Const(v, 8) for v in column)[place] for column in zip(*table, strict=True)]
        self.window, tap, channel, self.cell, self.inside, self.channel = columns
        self.index = tap * window.channels + channel
        proof.show("chosen_window", self.window)
        proof.show("chosen_index", self.index)

    @staticmethod
    def _source(window, place, tap, channel):
        """Cell of the map, whether it lies on it, and the channel in the map."""
        rest, group = divmod(place, window.groups)
        position, step = divmod(rest, window.steps)
        y, x = divmod(position, window.geometry.width)
        ky, kx = divmod(tap, window.kernel[1])
        row = y * window.stride[0] - window.padding[0] + ky
        column = x * window.stride[1] - window.padding[1] + kx
        inside = 0 <= row < window.map.height and 0 <= column < window.map.width
        cell = (row * window.map.width + column) * window.steps + step if inside else 0
        return cell, int(inside), group * window.channels + channel


class _Coming:
    """Which cell of a map comes: ascending events that are above 0, but for a bare mark."""

    def __init__(self, proof, i, window):
        m, event, cells = proof.m, i.payload, window.map.positions * window.steps
        self.cell, inside, before = Signal(range(cells), name="cell"), Signal(), Signal.like(event.index)
        whole = i.moves & event.end_position
        self.begins, self.ends = i.moves & ~inside & (self.cell == 0), whole & (self.cell == cells - 1)
        with m.If(i.moves):
            m.d.sync += [inside.eq(~event.end_position), before.eq(event.index)]
        with m.If(whole):
            m.d.sync += self.cell.eq(Mux(self.cell == cells - 1, 0, self.cell + 1))
        proof.assume(~i.valid | ((event.index < window.map.channels) & (event.level <= window.levels)))
        proof.assume(~i.valid | event.end_position | (event.level != 0))
        proof.assume(~i.valid | ~inside | (event.index > before) | (event.level == 0))


class _Leaving:
    """Which window of a map leaves."""

    def __init__(self, proof, o, window):
        m, windows = proof.m, window.geometry.outputs * window.steps * window.groups
        self.window, ends = Signal(range(windows), name="leaving"), o.moves & o.payload.end_position
        self.ends = ends & (self.window == windows - 1)
        some, before = Signal(), Signal.like(o.payload.index)
        self.ascends = ~some | (o.payload.index > before)
        with m.If(o.moves):
            m.d.sync += some.eq((some | (o.payload.level != 0)) & ~o.payload.end_position)
            with m.If(o.payload.level != 0):
                m.d.sync += before.eq(o.payload.index)
        with m.If(ends):
            m.d.sync += self.window.eq(Mux(self.window == windows - 1, 0, self.window + 1))


SHAPES = {
    "two of three": buffered_window(Map(1, 1, 3), (1, 2), levels=1),
    "padded": buffered_window(Map(1, 1, 2), (1, 3), padding=(0, 1), levels=1),
    "two rows": buffered_window(Map(1, 3, 2), (2, 2), levels=1),
    "groups": buffered_window(Map(2, 1, 2), (1, 2), groups=2, levels=1),
    "stride": buffered_window(Map(1, 2, 4), (2, 2), (2, 2), levels=1),
    "steps": buffered_window(Map(1, 1, 3), (1, 2), levels=1, steps=2),
}


@pytest.mark.parametrize("name", ["two of three", "padded", "groups", "steps"])
def test_line_buffer(name):
    """For 20 cycles from any state and a reset, which is into the second map."""
    prove(line_proof(SHAPES[name]), 20, platform=AnyMemories())


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_line_buffer_longer(name):
    depth = None if name == "two of three" else 24
    prove(line_proof(SHAPES[name]), depth, platform=AnyMemories())


@pytest.mark.parametrize("fault", fault_cases("mute", "deaf"))
def test_a_fault_is_found(fault):
    proof = line_proof(SHAPES["two of three"], fault)
    refute(proof, FAULTS[fault][2], platform=AnyMemories())
