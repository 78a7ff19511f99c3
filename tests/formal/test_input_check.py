"""InputCheck: whatever a host sends, whole samples go on, good ones unchanged, and nothing hangs."""

import pytest
from amaranth.hdl import Array, Cat, Const, Mux, Signal
from beats import accept, in_order, moves_on, offer
from faults import Faulty, fault_cases
from proof import Proof
from prover import prove, refute

from spikefold.ir.maps import Map
from spikefold_hw.order import ORDERS, Time
from spikefold_hw.parts.input_check import InputCheck
from spikefold_hw.parts.input_rules import CAUSES
from spikefold_hw.streams import EventStream


def check_proof(events, tag_bits=0, fault=None):
    """A host sends anything. A good beat goes on; a broken sample ends in bare marks for what it lacks."""
    proof, dut = Proof(), Faulty(InputCheck(events, tag_bits), fault)
    proof.m.submodules.dut = dut
    m, hold = proof.m, proof.free(1, "holds")
    i, o = offer(proof, dut.i, "i"), accept(proof, dut.o, "o")
    m.d.comb += dut.hold.eq(hold)
    sample = _Sample(proof, i, events)
    cells, left = events.map.positions * events.time.steps, Signal(range(8))
    m.d.comb += left.eq(Mux(sample.closes, cells - sample.cell, sample.good))
    marks = [Array(sample.mark(k) for k in range(cells))[sample.cell + k] for k in range(cells)]
    expected = Mux(sample.closes, Cat(marks), _plain(i.payload))
    under_way = in_order(proof, i.moves, expected, o.moves, _plain(o.payload), max(2 * cells, 3), left)
    owed, blamed = Signal(len(CAUSES)), dut.violations != 0
    with m.If(i.moves | blamed):
        m.d.sync += owed.eq(Mux(i.moves, sample.causes, 0))
    proof.check("it counts what is wrong", ~blamed | (dut.violations == owed))
    proof.check("it counts everything", ~i.moves | (owed == 0) | blamed)
    proof.check("a held network gets no new sample", ~(i.moves & hold) | sample.open)
    moves_on(proof, under_way != 0, o.ready, o.moves, 3, "o")
    moves_on(proof, i.valid, o.ready & (sample.open | ~hold), i.moves, cells + 3, "i")
    # A result for each `end_sample`, and its ticket.
    proof.show("ended", dut.ended)
    proof.show("ticket", dut.ticket)
    ends, ticket = i.moves & i.payload.end_sample, [i.payload.tag] if tag_bits else []
    owes = Cat(*ticket, sample.closes)
    in_order(proof, ends, owes, dut.ended, dut.ticket.as_value(), 2, name="tickets")
    return proof


def _plain(beat):
    """A beat without its tag, and without an index where it has no level."""
    return Cat(
        Mux(beat.level == 0, 0, beat.index), beat.level, beat.end_position, beat.end_step, beat.end_sample
    )


class _Sample:
    """The rules of docs/architecture.md, read beat by beat.

    Attributes: `good`, the present beat and all before it of its sample are; `closes`, it ends a broken
    sample; `cell`, how many marks its sample had before it; `causes`, what is wrong with it.
    """

    def __init__(self, proof, i, events):
        m, beat = proof.m, i.payload
        positions, steps = events.map.positions, events.time.steps
        cells = positions * steps
        _, position = events.time.places(positions)
        self._ends = [(int(p == positions - 1), int(k == cells - 1)) for k, p in enumerate(position)]
        self._fields = len(beat.index) + len(beat.level)
        self.cell, spoilt, self.open = Signal(range(cells)), Signal(), Signal()
        above, some = Signal.like(beat.index), Signal()
        wanted = Array(Const(step | sample << 1, 2) for step, sample in self._ends)[self.cell]
        fires = beat.level != 0
        wrong = Cat(
            fires & (beat.index >= events.map.channels),
            fires & some & (beat.index <= above),
            (beat.level > events.levels) | (~fires & ~beat.end_position),
            Cat(beat.end_step, beat.end_sample) != Mux(beat.end_position, wanted, 0),
        )
        self.causes = Mux(spoilt, 0, wrong)
        self.good = ~spoilt & (wrong == 0)
        self.closes = ~self.good & beat.end_sample
        with m.If(i.moves):
            m.d.sync += [self.open.eq(~beat.end_sample), spoilt.eq(~self.good & ~beat.end_sample)]
            with m.If(beat.end_sample):
                m.d.sync += [self.cell.eq(0), some.eq(0)]
            with m.Elif(self.good):
                m.d.sync += [
                    self.cell.eq(self.cell + beat.end_position),
                    some.eq(~beat.end_position & (some | fires)),
                ]
                with m.If(fires):
                    m.d.sync += above.eq(beat.index)

    def mark(self, cell):
        """A bare mark."""
        step, sample = self._ends[cell]
        return Const((1 | step << 1 | sample << 2) << self._fields, self._fields + 3)


ONE = Time(1, ORDERS[0])
EVENTS = {
    "one event": EventStream(Map(1), 1, ONE),
    "channels": EventStream(Map(3), 2, ONE),
    "positions": EventStream(Map(2, 1, 2), 1, ONE),
    "steps": EventStream(Map(2, 1, 1), 1, Time(2, ORDERS[1])),
    "steps of positions": EventStream(Map(2, 1, 2), 1, Time(2, ORDERS[0])),
    "positions of steps": EventStream(Map(2, 1, 2), 1, Time(2, ORDERS[1])),
}


@pytest.mark.parametrize("name", EVENTS)
def test_input_check(name):
    prove(check_proof(EVENTS[name]))


def test_input_check_with_tags():
    prove(check_proof(EVENTS["positions"], tag_bits=2))


@pytest.mark.parametrize("fault", fault_cases())
def test_a_fault_is_found(fault):
    refute(check_proof(EVENTS["channels"], fault=fault))
