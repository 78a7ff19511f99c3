"""Skid: it passes every beat on, or keeps it, under any stalls."""

import pytest
from amaranth.hdl import Signal
from amaranth.lib import stream
from beats import accept, in_order, moves_on, offer
from faults import Faulty, fault_cases
from proof import Proof
from prover import prove, refute

from spikefold_hw.parts.skid import Skid
from spikefold_hw.streams import Event


def skid_proof(fault=None):
    """Beside the beats: `ready` comes from a flip-flop, so it does not change with the sink in a cycle."""
    proof, dut = Proof(), Faulty(Skid(stream.Signature(Event(3, 2))), fault)
    proof.m.submodules.dut = dut
    i, o = offer(proof, dut.i, "i"), accept(proof, dut.o, "o")
    under_way = in_order(proof, i.moves, i.bits, o.moves, o.bits, 1)
    waits = Signal()
    proof.m.d.sync += waits.eq(o.valid & ~o.ready)
    proof.check("ready unless a beat waited in the cycle before", i.ready == ~waits)
    moves_on(proof, under_way != 0, o.ready, o.moves, 1, "o")
    moves_on(proof, i.valid, o.ready, i.moves, 2, "i")
    return proof


def test_skid():
    prove(skid_proof())


@pytest.mark.parametrize("fault", fault_cases())
def test_a_fault_is_found(fault):
    refute(skid_proof(fault))
