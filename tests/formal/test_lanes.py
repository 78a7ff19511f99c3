"""AccumulateCore: every sum is that of its digits' weights, for any weights, digits and stalls."""

from dataclasses import replace

import pytest
from amaranth.hdl import Array, Cat, Mux, Signal, signed
from any_weights import any_weights
from beats import accept, in_order, moves_on, offer
from faults import FAULTS, Faulty, fault_cases
from memories import AnyMemories
from proof import Proof
from prover import prove, refute

from spikefold_hw.parts.lanes import AccumulateCore
from spikefold_hw.parts.shapes import Blocks, LanesShape, WeightsShape

ONE = WeightsShape(1, 1, 1, 1, "binary")


def lanes_proof(shape, fault=None):
    """The prover chooses all weights and all digits; sums may wrap around, as theirs do."""
    proof, dut = Proof(), Faulty(AccumulateCore(shape), fault)
    proof.m.submodules.dut = dut
    memories, weights = any_weights(proof, shape)
    i, o = offer(proof, dut.i, "i"), accept(proof, dut.o, "o")
    digit, m = i.payload, proof.m
    for port, one in enumerate(shape.weights):
        its = digit.window == port if len(shape.weights) > 1 else 1
        proof.assume(~(i.valid & its) | ((digit.row < shape.rows(port)) & (digit.shift < one.shifts)))
    proof.assume(~i.valid | (digit.window < len(shape.weights)))
    totals = sums(m, shape, i, weights)
    blocks = shape.blocks
    words, short = (
        blocks.lanes // blocks.units,
        len(blocks.channels_of(blocks.group_blocks - 1)) // blocks.units,
    )
    block, flushed = Signal(range(blocks.group_blocks)), i.moves & digit.flush
    last = block == blocks.group_blocks - 1
    with m.If(flushed):
        m.d.sync += block.eq(Mux(last, 0, block + 1))
    under_way = in_order(
        proof, flushed, Cat(totals), o.moves, o.bits, 3 * words, Mux(last, short, words), name="sums"
    )
    moves_on(proof, under_way != 0, o.ready, o.moves, dut_latency(shape) + 1, "o")
    moves_on(proof, i.valid, o.ready, i.moves, words + dut_latency(shape) + 2, "i")
    return proof, AnyMemories(memories)


def dut_latency(shape):
    return 7 + (len(shape.weights) > 1)


def sums(m, shape, i, weights):
    """Of every lane the sum of all digits since the flush before."""
    digit, totals = i.payload, []
    for lane in range(shape.blocks.lanes):
        added = Signal(signed(shape.bits), name=f"added{lane}")
        total = Signal(signed(shape.bits), name=f"sum{lane}")
        with m.Switch(digit.window):
            for port, (one, rows) in enumerate(zip(shape.weights, weights, strict=True)):
                with m.Case(port):
                    value = Array(row[lane] for row in rows)[digit.row] << digit.shift
                    m.d.comb += added.eq(Mux(digit.negative, -value, value) if one.coding == "naf" else value)
        with m.If(i.moves):
            m.d.sync += total.eq(Mux(digit.flush, 0, total + added))
        totals.append(total)
    return totals


TWO_BITS = WeightsShape(2, 1, 2, 3, "naf")
SHAPES = {
    "one lane": (LanesShape("layer", Blocks(1, 1, 1, 1), (ONE,), 2), None),
    "words of two": (LanesShape("layer", Blocks(2, 1, 2, 2), (ONE,), 2), None),
    "two lanes": (LanesShape("layer", Blocks(2, 1, 2, 1), (ONE,), 2), None),
    "a short block": (LanesShape("layer", Blocks(3, 1, 2, 1), (TWO_BITS,), 6), 14),
    "two windows": (LanesShape("layer", Blocks(2, 1, 2, 1), (TWO_BITS, replace(ONE, bits=3)), 7), 15),
    "weight sets": (
        LanesShape("layer", Blocks(4, 2, 2, 2), (replace(TWO_BITS, sets=2, coding="binary"),), 8),
        14,
    ),
}
"""Lanes, and the cycles that are looked at: all of them where there is no number."""


def check(name):
    shape, depth = SHAPES[name]
    proof, platform = lanes_proof(shape)
    prove(proof, depth, platform=platform)


@pytest.mark.parametrize("name", ["one lane", "words of two"])
def test_lanes(name):
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["two lanes", "a short block", "two windows", "weight sets"])
def test_wider_lanes(name):
    check(name)


@pytest.mark.parametrize("fault", fault_cases())
def test_a_fault_is_found(fault):
    proof, platform = lanes_proof(SHAPES["words of two"][0], fault)
    refute(proof, FAULTS[fault][2], platform=platform)


def test_a_digit_that_is_not_shifted_is_found(monkeypatch):
    monkeypatch.setattr("spikefold_hw.parts.lanes._shifted", lambda value, *_: value)
    proof, platform = lanes_proof(SHAPES["a short block"][0])
    refute(proof, "sums: what leaves is what came", 14, platform)
