"""CurrentRepeater: every word of a position leaves as often as it must, in order, under any stalls."""

import pytest
from amaranth.hdl import Mux, Signal
from beats import accept, moves_on, offer
from faults import FAULTS, Faulty, fault_cases
from memories import AnyMemories
from proof import Proof
from prover import prove, refute

from spikefold_hw.parts.shapes import Blocks
from spikefold_hw.streaming.drain.repeater import CurrentRepeater


def repeater_proof(words, repeats, bits=1, fault=None):
    """The prover picks a position and a word of it, which must leave in every repeat, at its place."""
    proof, dut = Proof(), Faulty(CurrentRepeater(Blocks(words, 1, 1, 1), bits, repeats), fault)
    proof.m.submodules.dut = dut
    i, o = offer(proof, dut.i, "i"), accept(proof, dut.o, "o")
    m, place = proof.m, proof.constant(range(words), "place")
    proof.assume(place < words)
    # Positions begun and not yet left, and the place in the one that comes and the one that leaves.
    under_way, coming, leaving = Signal(range(5)), Signal(range(words)), Signal(range(words * repeats))
    begins, ends = i.moves & (coming == 0), o.moves & (leaving == words * repeats - 1)
    m.d.sync += under_way.eq(under_way + begins - ends)
    with m.If(i.moves):
        m.d.sync += coming.eq(Mux(coming == words - 1, 0, coming + 1))
    with m.If(o.moves):
        m.d.sync += leaving.eq(Mux(leaving == words * repeats - 1, 0, leaving + 1))
    picks, picked, mine = Signal(), Signal(), Signal()
    ahead, known, kept = Signal.like(under_way), Signal(), Signal(bits, reset_less=True)
    m.d.comb += picks.eq(begins & proof.free(1, "pick") & ~picked)
    with m.If(picks):
        m.d.sync += [picked.eq(1), ahead.eq(under_way - ends)]
    with m.Elif(picked & ends & (ahead != 0)):
        m.d.sync += ahead.eq(ahead - 1)
    over = Signal()
    turn = picked & (ahead == 0) & ~over
    m.d.sync += [
        over.eq(over | (turn & ends)),
        mine.eq(Mux(i.moves, (picks | mine) & (coming != words - 1), mine)),
    ]
    with m.If(i.moves & (picks | mine) & (coming == place)):
        m.d.sync += [kept.eq(i.bits), known.eq(1)]
    its = turn & o.moves & ((leaving == place) | (leaving == place + words))
    for k in range(2, repeats):
        its = its | (turn & o.moves & (leaving == place + k * words))
    for name, value in (("under_way", under_way), ("leaving", leaving), ("turn", turn), ("kept", kept)):
        proof.show(name, value)
    proof.check("only what came leaves", ~o.moves | (under_way != 0))
    proof.check("two positions and what is on offer at most", under_way <= 3)
    proof.check("a word leaves as it came", ~its | (known & (o.bits == kept)))
    moves_on(proof, under_way != 0, o.ready & ((under_way > 1) | (coming == 0)), o.moves, 3, "o")
    moves_on(proof, i.valid, o.ready, i.moves, words * repeats + 3, "i")
    return proof


@pytest.mark.parametrize(
    ("words", "repeats"),
    [
        (1, 2),
        (2, 2),
        pytest.param(3, 2, marks=pytest.mark.slow),
        pytest.param(2, 4, marks=pytest.mark.slow),
        pytest.param(4, 3, marks=pytest.mark.slow),
    ],
)
def test_repeater(words, repeats):
    prove(repeater_proof(words, repeats), platform=AnyMemories())


@pytest.mark.parametrize("fault", fault_cases())
def test_a_fault_is_found(fault):
    refute(repeater_proof(2, 2, fault=fault), FAULTS[fault][2], platform=AnyMemories())
