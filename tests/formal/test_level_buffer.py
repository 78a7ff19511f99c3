"""LevelBuffer: every cell's levels come out as they went in, whatever lay there before, under any stalls."""

import pytest
from amaranth.hdl import Array, Const, Mux, Signal
from beats import moves_on, offer
from faults import FAULTS, Faulty
from memories import AnyMemories
from proof import Proof
from prover import prove, refute

from spikefold_hw.parts.level_buffer import LevelBuffer


def buffer_proof(channels, units, levels, depth, fault=None):
    """The prover picks a cell and a channel of it; its reader asks for words and stands still as it likes."""
    inner = LevelBuffer(channels, units, levels, depth)
    proof, dut = Proof(), Faulty(inner, fault)
    proof.m.submodules.dut = dut
    m, words = proof.m, channels // units
    i = offer(proof, dut.i, "i")
    _ascending(proof, i, channels, levels)
    channel = proof.constant(range(channels), "channel")
    proof.assume(channel < channels)
    word = Signal(range(words))
    m.d.comb += [dut.advance.eq(proof.free(1, "advances")), dut.next.eq(proof.free(1, "asks"))]
    proof.assume(~dut.next | dut.advance)
    proof.assume(~dut.next | (word != 0) | dut.available)
    with m.If(dut.next):
        m.d.sync += word.eq(Mux(word == words - 1, 0, word + 1))
    inside, kept_cells, whole = Signal(), Signal(range(depth + 3)), Signal(range(depth + 3))
    begins, ends = i.moves & ~inside, i.moves & i.payload.end_position
    frees = dut.next & (word == words - 1)
    with m.If(i.moves):
        m.d.sync += inside.eq(~i.payload.end_position)
    m.d.sync += [kept_cells.eq(kept_cells + begins - frees), whole.eq(whole + ends - frees)]
    level, turn = _picked(proof, i, begins, ends, frees, kept_cells, channel)
    _read_out(
        proof, dut, turn & dut.next & (word == _word_of(channel, channels, units)), level, channel, units
    )
    for name, value in (("next", dut.next), ("advance", dut.advance), ("available", dut.available)):
        proof.show(name, value)
    proof.check("no more cells than there is room for", kept_cells <= depth)
    proof.check("available when a cell is whole", ~dut.available | (whole != 0))
    moves_on(proof, (whole != 0) & ~dut.available, Const(1), dut.available, 3, "available")
    moves_on(proof, i.valid & (kept_cells < depth), Const(1), i.moves, 2, "i")
    moves_on(proof, i.valid & inside, Const(1), i.moves, 1, "i_inside")
    return proof


def _ascending(proof, i, channels, levels):
    """Events of a cell ascend, and none but a mark has level 0."""
    event, before, inside = i.payload, Signal.like(i.payload.index), Signal()
    with proof.m.If(i.moves):
        proof.m.d.sync += [inside.eq(~event.end_position), before.eq(event.index)]
    proof.assume(~i.valid | ((event.index < channels) & (event.level <= levels)))
    proof.assume(~i.valid | event.end_position | (event.level != 0))
    proof.assume(~i.valid | ~inside | (event.index > before) | (event.level == 0))


def _picked(proof, i, begins, ends, frees, cells, channel):
    """The level of the picked cell's channel, and whether it is this cell that is read."""
    m, event = proof.m, i.payload
    picks, picked, mine, known, over = (Signal(name=n) for n in ("picks", "picked", "mine", "known", "over"))
    ahead, level = Signal.like(cells), Signal(len(event.level), reset_less=True)
    m.d.comb += picks.eq(begins & proof.free(1, "pick") & ~picked)
    its = i.moves & (picks | mine)
    with m.If(picks):
        m.d.sync += [picked.eq(1), ahead.eq(cells - frees), level.eq(0)]
    with m.Elif(frees & (ahead != 0)):
        m.d.sync += ahead.eq(ahead - 1)
    with m.If(its):
        m.d.sync += [mine.eq(~event.end_position), known.eq(known | event.end_position)]
        with m.If((event.index == channel) & (event.level != 0)):
            m.d.sync += level.eq(event.level)
    turn = picked & (ahead == 0) & ~over & ~picks
    with m.If(turn & frees):
        m.d.sync += over.eq(1)
    proof.show("level", level)
    proof.check("a cell is read when it is whole", ~(turn & frees) | known)
    return level, turn


def _word_of(channel, channels, units):
    return Array(Const(k // units, 8) for k in range(channels))[channel]


def _read_out(proof, dut, asked, level, channel, units):
    """Three moves after a word was asked for it must be there, and stay until the next."""
    m, stages = proof.m, [Signal(name=f"asked{k}") for k in range(LevelBuffer.latency)]
    with m.If(dut.advance):
        m.d.sync += [after.eq(before) for before, after in zip([asked, *stages], stages, strict=False)]
    seen = Array(dut.levels[k] for k in range(units))[channel % units if units > 1 else 0]
    proof.show("seen", seen)
    proof.check("a level comes out as it went in", ~stages[-1] | (seen == level))


@pytest.mark.parametrize(
    ("channels", "units", "levels", "depth"),
    [
        (1, 1, 1, 1),
        (2, 1, 1, 2),
        (2, 2, 1, 1),
        pytest.param(3, 1, 2, 2, marks=pytest.mark.slow),
        pytest.param(4, 2, 1, 3, marks=pytest.mark.slow),
    ],
)
def test_level_buffer(channels, units, levels, depth):
    prove(buffer_proof(channels, units, levels, depth), platform=AnyMemories())


@pytest.mark.parametrize("fault", ["loses", "deaf"])
def test_a_fault_is_found(fault):
    refute(buffer_proof(2, 1, 1, 1, fault), FAULTS[fault][2], platform=AnyMemories())
