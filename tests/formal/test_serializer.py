"""Serializer: every marked value of every word leaves once, in order, under any stalls."""

import pytest
from amaranth.hdl import Cat, Const, Signal
from beats import accept, in_order, moves_on, offer
from faults import FAULTS, Faulty, fault_cases
from proof import Proof
from prover import prove, refute

from spikefold_hw.parts.serializer import Serializer


def serializer_proof(words, units, bits, flags, fault=None):
    proof, dut = Proof(), Faulty(Serializer(words, units, bits, flags), fault)
    proof.m.submodules.dut = dut
    i, o = offer(proof, dut.i, "i"), accept(proof, dut.o, "o")
    beats, count = beats_of(proof.m, i.payload, dut.o.payload, units)
    under_way = in_order(proof, i.moves, Cat(beats), o.moves, o.bits, 2 * units, count)
    moves_on(proof, under_way != 0, o.ready, o.moves, 2, "o")
    moves_on(proof, i.valid, o.ready, i.moves, units + 1, "i")
    return proof


def beats_of(m, word, beat, units):
    """What must leave for a word, value by value, and how many."""
    bare = word.bare & ~word.send.any()
    sends = [word.send[k] | (bare if k == units - 1 else 0) for k in range(units)]
    count = Signal(range(units + 1))
    m.d.comb += count.eq(sum(sends, Const(0)))
    beats = []
    for place in range(units):
        value = Signal(len(beat.as_value()), name=f"beat{place}")
        for k, send in enumerate(sends):
            index = Signal(len(beat.index), name=f"index{place}_{k}")
            m.d.comb += index.eq(word.word * units + k)
            with m.If(send & (sum(sends[:k], Const(0)) == place)):
                m.d.comb += value.eq(Cat(index, word.values[k], count == place + 1, word.flags))
        beats.append(value)
    return beats, count


@pytest.mark.parametrize(
    ("words", "units", "bits", "flags"),
    [
        (1, 1, 1, 1),
        (3, 2, 2, 1),
        pytest.param(2, 3, 1, 1, marks=pytest.mark.slow),
        pytest.param(3, 4, 3, 2, marks=pytest.mark.slow),
        pytest.param(2, 5, 2, 1, marks=pytest.mark.slow),
    ],
)
def test_serializer(words, units, bits, flags):
    prove(serializer_proof(words, units, bits, flags))


@pytest.mark.parametrize("fault", fault_cases())
def test_a_fault_is_found(fault):
    refute(serializer_proof(2, 2, 1, 1, fault), FAULTS[fault][2])
