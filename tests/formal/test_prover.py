"""The prover itself: it finds what is wrong, shows it, and grants nothing that it was not told."""

import pytest
from aiger import Aig
from amaranth.hdl import Signal
from memories import AnyMemories
from proof import Proof
from prover import decide, prove, refute

from spikefold_hw.parts.memory import Ram


def counter_proof(limit, init=0):
    """A counter that a strobe moves on; it must stay below the limit."""
    proof, count = Proof(), Signal(4, init=init)
    moves = proof.free(1, "moves")
    with proof.m.If(moves):
        proof.m.d.sync += count.eq(count + 1)
    proof.show("moves", moves)
    proof.show("count", count)
    proof.check("the counter stays below its limit", count < limit)
    return proof


def test_a_failing_proof_shows_what_happened():
    answer = decide(counter_proof(3), None, 60, None)
    first, moves, count = answer.text.splitlines()
    assert first == "in cycle 4 after the reset ['the counter stays below its limit'] must hold, but does not"
    assert moves.split()[:4] == ["moves", "1", "1", "1"]
    assert count.split() == ["count", "0", "1", "2", "3"]


@pytest.mark.parametrize(("depth", "proved"), [(3, True), (4, False), (None, False)])
def test_a_bound_is_kept(depth, proved):
    assert decide(counter_proof(3), depth, 60, None).proved is proved


def test_what_has_no_reset_begins_with_anything():
    proof, kept = Proof(), Signal(init=0, reset_less=True)
    proof.m.d.sync += kept.eq(kept & proof.free(1, "keeps"))
    proof.check("is 0", ~kept)
    refute(proof, "is 0")


def test_nothing_counts_after_a_broken_assumption():
    proof = counter_proof(3)
    count = proof.shown[1]
    proof.assume(count != 2)
    prove(proof)


def test_a_constant_is_the_same_in_all_cycles():
    proof, before, fresh = Proof(), Signal(3, reset_less=True), Signal(init=1)
    value = proof.constant(3, "value")
    proof.m.d.sync += [before.eq(value), fresh.eq(0)]
    proof.check("is constant", fresh | (before == value))
    proof.check("is not 5", (value != 5) | fresh)
    refute(proof, "is not 5")


@pytest.mark.parametrize("collides", [False, True])
def test_a_row_that_is_written_while_it_is_read_may_be_anything(collides):
    proof, memory = Proof(), Ram(1, 2)
    m = proof.m
    m.submodules.memory = memory
    read, write = memory.read_port(), memory.write_port()
    written, asked = Signal(), Signal()
    m.d.comb += [write.en.eq(1), write.data.eq(1), read.en.eq(1), read.addr.eq(0)]
    m.d.comb += write.addr.eq(0 if collides else written)
    m.d.sync += [written.eq(1), asked.eq(written)]
    proof.check("gives what was written", ~asked | read.data)
    if collides:
        refute(proof, "gives what was written", platform=AnyMemories())
    else:
        prove(proof, platform=AnyMemories())


def test_a_graph_is_read_written_and_run():
    """A latch that toggles where the input is high: three gates for the exclusive or."""
    text = b"aig 5 1 1 1 3\n10\n4\n" + bytes([2, 2, 3, 2, 1, 2])
    graph = Aig.parse(text + b"c\na comment")
    assert graph.data() == text
    assert graph.gates == ((4, 2), (5, 3), (9, 7))
    frames = [[1], [0], [1], [1], [0]]
    assert graph.run(frames) == [[0], [1], [1], [0], [1]]
    assert graph.only(0) == graph


def test_large_numbers_in_a_graph():
    gates = ((2, 0), *((4, 2) for _ in range(300)))
    graph = Aig(1, (), (602,), gates)
    assert Aig.parse(graph.data()) == graph
