"""AccumulateCore: every sum is that of its digits' weights, for any weights, digits and stalls."""

from dataclasses import replace

import pytest
from amaranth.hdl import Array, Cat, Mux, Signal, signed
from beats import accept, in_order, moves_on, offer
from faults import FAULTS, Faulty
from memories import AnyMemories
from proof import Proof
from prover import prove, refute

from spikefold_hw.parts.lanes import AccumulateCore
from spikefold_hw.parts.shapes import Blocks, LanesShape, WeightsShape
from spikefold_hw.parts.weights import weight_lanes, weight_sizes

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
    words, short = blocks.lanes // blocks.units, len(blocks.channels_of(blocks.group_blocks - 1)) // blocks.units
    block, flushed = Signal(range(blocks.group_blocks)), i.moves & digit.flush
    last = block == blocks.group_blocks - 1
    with m.If(flushed):
        m.d.sync += block.eq(Mux(last, 0, block + 1))
    under_way = in_order(
        proof, flushed, Cat(totals), o.moves, o.bits, 2 * words, Mux(last, short, words), name="sums"
    )
    moves_on(proof, under_way != 0, o.ready, o.moves, dut_latency(shape) + 1, "o")
    moves_on(proof, i.valid, o.ready, i.moves, words + dut_latency(shape) + 2, "i")
    return proof, AnyMemories(memories)


def dut_latency(shape):
    return 6 + (len(shape.weights) > 1)


def any_weights(proof, shape):
    """Rows of all weight memories, and from them each window's weights, row by row and lane by lane."""
    memories, weights = {}, []
    for port, one in enumerate(shape.weights):
        rows = [[] for _ in range(shape.rows(port))]
        for size, lanes in zip(weight_sizes(shape, port), weight_lanes(shape, port), strict=True):
            words = [proof.constant(size.width, f"{size.name}_{k}") for k in range(size.depth)]
            memories[size.name] = words
            for row, word in zip(rows, words, strict=True):
                row += [_weight(word, k, one.bits) for k in range(len(lanes))]
        weights.append(rows)
    return memories, weights


def _weight(word, place, bits):
    weight = word[place * bits : (place + 1) * bits]
    return Mux(weight, 1, -1) if bits == 1 else weight.as_signed()


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


SHAPES = {
    "one lane": LanesShape("layer", Blocks(1, 1, 1, 1), (ONE,), 2),
    "two lanes": LanesShape("layer", Blocks(2, 1, 2, 1), (ONE,), 2),
    "a short block": LanesShape("layer", Blocks(3, 1, 2, 1), (replace(ONE, inputs=1),), 2),
    "words of two": LanesShape("layer", Blocks(2, 1, 2, 2), (ONE,), 2),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_lanes(shape):
    proof, platform = lanes_proof(SHAPES[shape])
    prove(proof, platform=platform)
