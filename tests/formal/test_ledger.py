"""Ledger: every ticket comes out once, unchanged and in its order, and there is room for it."""

from itertools import pairwise

import pytest
from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from beats import in_order
from memories import AnyMemories
from proof import Proof
from prover import prove, refute

from spikefold_hw.parts.admission import Ticket
from spikefold_hw.parts.ledger import MARGIN, Ledger

READY = 3
"""Cycles from a push to its ticket on the output, before which no result ends."""


def ledger_proof(ticket, depth, fault=None, ready=READY):
    """Samples of any length come at any pace, and none begins in the cycle after `full`; so do results."""
    proof, dut = Proof(), Ledger(ticket, depth)
    dut = dut if fault is None else _Faulty(dut, fault)
    proof.m.submodules.dut = dut
    m, push, pop = proof.m, _pushes(proof, dut.full), proof.free(1, "pop")
    m.d.comb += [dut.push.eq(push), dut.pop.eq(pop)]
    came, seen = Signal(max(ticket.size, 1)), Signal(max(ticket.size, 1))
    if ticket.size:
        m.d.comb += [came.eq(proof.free(ticket.size, "ticket")), seen.eq(dut.o)]
        m.d.comb += Value.cast(dut.i).eq(came)
    ages = [push, *(Signal(name=f"pushed{k}") for k in range(1, ready + 1))]
    m.d.sync += [after.eq(before) for before, after in pairwise(ages)]
    under_way = in_order(proof, push, came, pop, seen, most=depth)
    young = Signal(range(ready + 1))
    m.d.comb += young.eq(sum(ages[1:ready]))
    proof.assume(~pop | (under_way > young))
    for name in ("push", "pop", "some", "full"):
        proof.show(name, getattr(dut, name))
    proof.check("it tells whether there is one", dut.some == (under_way != 0))
    proof.check("it tells when it is full", dut.full == (under_way - ages[1] >= depth - MARGIN))
    return proof


def _pushes(proof, full):
    """Ends of samples: beats come at any time, but none begins a sample in the cycle after `full`."""
    hold, begun, ends = Signal(), Signal(), Signal()
    beat, last = proof.free(1, "beat"), proof.free(1, "last")
    taken = beat & (begun | ~hold)
    proof.m.d.comb += ends.eq(taken & last)
    proof.m.d.sync += hold.eq(full)
    with proof.m.If(taken):
        proof.m.d.sync += begun.eq(~last)
    return ends


class _Faulty(wiring.Component):
    """A ledger that does one thing wrong at its second push or pop."""

    def __init__(self, dut, fault):
        self._dut, self._fault = dut, fault
        super().__init__(dut.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self._dut
        wiring.connect(m, wiring.flipped(self), dut)
        strobe = self.push if "push" in self._fault else self.pop
        count = Signal(range(3))
        with m.If(strobe & (count != 2)):
            m.d.sync += count.eq(count + 1)
        with m.If(strobe & (count == 1)):
            m.d.comb += _FAULTS[self._fault](self, dut)
        return m


_FAULTS = {
    "a push is lost": lambda outer, dut: dut.push.eq(0),
    "a push has another ticket": lambda outer, dut: Value.cast(dut.i)[0].eq(~Value.cast(outer.i)[0]),
    "a pop is lost": lambda outer, dut: dut.pop.eq(0),
    "a pop shows another ticket": lambda outer, dut: Value.cast(outer.o)[0].eq(~Value.cast(dut.o)[0]),
}


@pytest.mark.parametrize(
    ("tag_bits", "depth"),
    [(0, 4), (1, 4), pytest.param(0, 8, marks=pytest.mark.slow)],
)
def test_ledger(tag_bits, depth):
    prove(ledger_proof(Ticket(tag_bits, True), depth), platform=AnyMemories())


def test_a_ledger_of_empty_tickets():
    prove(ledger_proof(Ticket(0, False), 8))


@pytest.mark.parametrize("fault", _FAULTS)
def test_a_fault_is_found(fault):
    refute(ledger_proof(Ticket(0, True), 4, fault), platform=AnyMemories())


def test_too_small_a_margin_is_found(monkeypatch):
    monkeypatch.setattr("spikefold_hw.parts.ledger.MARGIN", MARGIN - 1)
    proof = ledger_proof(Ticket(0, False), 4)
    del proof.checks["it tells when it is full"]
    refute(proof, "beats: no more than 4 are under way")


def test_a_ticket_that_is_read_too_early_is_found():
    """A row that is read in the cycle of its write has any value."""
    proof = ledger_proof(Ticket(0, True), 4, ready=READY - 1)
    refute(proof, "beats: what leaves is what came", platform=AnyMemories())
