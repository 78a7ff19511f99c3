"""Ledger: every ticket comes out once, unchanged and in its order, and there is room for it."""

from itertools import pairwise

import pytest
from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib import wiring
from beats import accept, in_order, offer
from memories import AnyMemories
from proof import Proof
from prover import prove, refute

from spikefold.ir.maps import Map
from spikefold_hw.order import ORDERS, Time
from spikefold_hw.parts.admission import PlainInput, Ticket
from spikefold_hw.parts.input_check import InputCheck
from spikefold_hw.parts.ledger import MARGIN, Ledger
from spikefold_hw.streams import EventStream

READY = 2
"""Cycles from a push to its ticket on the output, before which no result ends."""


def ledger_proof(ticket, depth, fault=None, ready=READY):
    """Tickets come at any pace while there is room, and go when they may."""
    proof, dut = Proof(), Ledger(ticket, depth)
    dut = dut if fault is None else _Faulty(dut, fault)
    proof.m.submodules.dut = dut
    m, push = proof.m, proof.free(1, "pushes")
    came, seen = Signal(max(ticket.size, 1)), Signal(max(ticket.size, 1))
    m.d.comb += dut.push.eq(push)
    if ticket.size:
        m.d.comb += [came.eq(proof.free(ticket.size, "ticket")), seen.eq(dut.o)]
        m.d.comb += Value.cast(dut.i).eq(came)
    under_way = _counted(proof, dut, ready, depth, came, seen)
    proof.assume(~push | (under_way < depth))
    return proof


def room_proof(admission, depth):
    """As in a network: samples of any beats come through an entrance, which holds a cycle after `full`."""
    proof, dut = Proof(), Ledger(admission.layout, depth)
    proof.m.submodules.dut, proof.m.submodules.admission = dut, admission
    offer(proof, admission.i, "i")
    accept(proof, admission.o, "o", withdraws=not admission.checks)  # a plain input that is held does
    proof.m.d.sync += admission.hold.eq(dut.full)
    proof.m.d.comb += dut.push.eq(admission.ended)
    _counted(proof, dut, READY, depth, Const(0, 1), Const(0, 1))
    return proof


def _counted(proof, dut, ready, depth, came, seen):
    """Tickets leave in order, `some` and `full` tell how many there are; returns how many."""
    m, pop = proof.m, proof.free(1, "pops")
    m.d.comb += dut.pop.eq(pop)
    ages = [dut.push, *(Signal(name=f"pushed{k}") for k in range(1, READY + 1))]
    m.d.sync += [after.eq(before) for before, after in pairwise(ages)]
    under_way = in_order(proof, dut.push, came, pop, seen, most=depth)
    proof.assume(~pop | (under_way > sum(ages[1:ready], Const(0))))
    for name in ("push", "pop", "some", "full"):
        proof.show(name, getattr(dut, name))
    proof.check("it tells whether there is one", dut.some == (under_way != 0))
    proof.check("it tells when it is full", dut.full == (under_way - ages[1] >= depth - MARGIN))
    return under_way


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


def test_a_ticket_that_is_taken_too_early_is_found():
    """Its row is written a cycle after its push."""
    proof = ledger_proof(Ticket(0, True), 4, ready=READY - 1)
    refute(proof, "beats: what leaves is what came", platform=AnyMemories())


ONE = EventStream(Map(1), 1, Time(1, ORDERS[0]))
TWO = EventStream(Map(1, 1, 2), 1, Time(1, ORDERS[0]))


@pytest.mark.parametrize("kind", [InputCheck, PlainInput])
@pytest.mark.parametrize("events", [ONE, TWO], ids=["one cell", "two cells"])
def test_there_is_room_for_samples_on_their_way_in(kind, events):
    prove(room_proof(kind(events), 4), platform=AnyMemories())


def test_too_small_a_margin_is_found(monkeypatch):
    monkeypatch.setattr("spikefold_hw.parts.ledger.MARGIN", MARGIN - 1)
    proof = room_proof(InputCheck(ONE), 4)
    del proof.checks["it tells when it is full"]
    refute(proof, "beats: no more than 4 are under way", platform=AnyMemories())
