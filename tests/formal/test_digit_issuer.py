"""DigitIssuer: every digit of every event leaves once, with its row of weights, under any stalls."""

import pytest
from amaranth.hdl import Array, Cat, Const, Mux, Signal
from beats import accept, in_order, moves_on, offer
from faults import FAULTS, Faulty, fault_cases
from proof import Proof
from prover import prove, refute

from spikefold_hw.order import ORDERS, Time
from spikefold_hw.parts.shapes import WeightsShape
from spikefold_hw.streaming.window.digit_issuer import DigitIssuer


def issuer_proof(weights, blocks, positions, time, fault=None):
    """Slots with any digits; a level's digits must leave the lowest first, with the rows of block and set."""
    proof, dut = Proof(), Faulty(DigitIssuer(weights, blocks, positions, time), fault)
    proof.m.submodules.dut = dut
    i, o = offer(proof, dut.i, "i"), accept(proof, dut.o, "o")
    slot, digit, m = i.payload, o.payload, proof.m
    pending = slot.event.digits.pending
    proof.assume(~i.valid | slot.flush | (pending != 0))
    proof.assume(~i.valid | (slot.event.index < weights.inputs))
    if weights.coding == "unary":
        proof.assume(pending <= weights.levels)
    row = Signal.like(digit.row, name="expected_row")
    m.d.comb += row.eq(base_of(m, i, weights, blocks, positions, time) + slot.event.index)
    places = range(weights.levels if weights.coding == "unary" else len(pending))
    here = [Const(0) + (pending > k) if weights.coding == "unary" else pending[k] for k in places]
    negative = slot.event.digits.negative if weights.coding == "naf" else Const(0, len(here))
    count = Signal(range(len(here) + 1), name="count")
    m.d.comb += count.eq(Mux(slot.flush, 1, sum(here, Const(0))))
    proof.assume(~i.valid | slot.flush | (slot.event.single == (sum(here, Const(0)) == 1)))
    beats = []
    for place in range(len(here)):
        beat = Signal(len(_masked(digit)), name=f"beat{place}")
        for k, one in enumerate(here):
            shift = Const(0 if weights.coding == "unary" else k, len(digit.shift))
            with m.If(one & (sum(here[:k], Const(0)) == place)):
                m.d.comb += beat.eq(Cat(0, row, shift, negative[k]))
        with m.If(slot.flush):
            m.d.comb += beat.eq(1)
        beats.append(beat)
    under_way = in_order(proof, i.moves, Cat(beats), o.moves, _masked(digit), len(here), count)
    moves_on(proof, under_way != 0, o.ready, o.moves, 1, "o")
    moves_on(proof, i.valid, o.ready, i.moves, len(here) + 1, "i")
    return proof


def _masked(digit):
    """A digit, or a flush of which nothing else counts."""
    plain = Cat(digit.row, digit.shift, digit.negative)
    return Cat(digit.flush, Mux(digit.flush, 0, plain))


def base_of(m, i, weights, blocks, positions, time):
    """First row of the weights of the present block and, with several sets, time step."""
    block, cell = Signal(range(blocks)), Signal(range(positions * time.steps))
    ends = i.moves & i.payload.flush
    with m.If(ends):
        m.d.sync += block.eq(Mux(block == blocks - 1, 0, block + 1))
        with m.If(block == blocks - 1):
            m.d.sync += cell.eq(Mux(cell == positions * time.steps - 1, 0, cell + 1))
    steps, _ = time.places(positions)
    step = Array(Const(int(k), 4) for k in steps)[cell] if weights.sets > 1 else 0
    return (step * blocks + block) * weights.inputs


ONE = Time(1, "position_major")


@pytest.mark.parametrize(
    ("weights", "blocks", "positions", "time"),
    [
        (WeightsShape(4, 1, 1, 1, "binary"), 1, 1, ONE),
        (WeightsShape(4, 1, 3, 7, "binary"), 2, 1, ONE),
        (WeightsShape(4, 1, 2, 5, "naf"), 3, 1, ONE),
        (WeightsShape(4, 1, 2, 3, "unary"), 1, 1, ONE),
        (WeightsShape(4, 2, 2, 1, "binary"), 2, 2, Time(2, ORDERS[0])),
        (WeightsShape(4, 2, 2, 1, "binary"), 2, 2, Time(2, ORDERS[1])),
        pytest.param(WeightsShape(4, 3, 2, 3, "naf"), 2, 2, Time(3, ORDERS[0]), marks=pytest.mark.slow),
        pytest.param(WeightsShape(4, 3, 2, 3, "binary"), 1, 3, Time(3, ORDERS[1]), marks=pytest.mark.slow),
    ],
)
def test_issuer(weights, blocks, positions, time):
    prove(issuer_proof(weights, blocks, positions, time))


@pytest.mark.parametrize("fault", fault_cases())
def test_a_fault_is_found(fault):
    refute(issuer_proof(WeightsShape(4, 1, 2, 3, "binary"), 2, 1, ONE, fault), FAULTS[fault][2])
