"""From events to sums: buffer, digits and lanes give the sum of products, for any levels and weights."""

import pytest
from amaranth.hdl import Array, Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from any_weights import any_weights
from memories import AnyMemories
from proof import Proof
from prover import prove, refute
from shape_samples import ONE_STEP

from spikefold.ir.maps import Map
from spikefold_hw.parts.lanes import AccumulateCore
from spikefold_hw.parts.shapes import Blocks, LanesShape
from spikefold_hw.streaming.window.core import ProjectionCore
from spikefold_hw.streaming.window.shape import ProjectionShape, WindowShape
from spikefold_hw.streams import connect


class Sums(wiring.Component):
    """A dense projection and its lanes."""

    def __init__(self, projection, blocks, bits):
        shape = LanesShape("layer", blocks, (projection.weights,), bits)
        self.core = ProjectionCore(projection, Map(blocks.channels), ONE_STEP, blocks)
        self.lanes, self.shape = AccumulateCore(shape), shape
        super().__init__({"i": In(self.core.i.signature.flip()), "o": Out(self.lanes.o.signature)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.core, m.submodules.lanes = self.core, self.lanes
        connect(m, wiring.flipped(self.i), self.core.i)
        connect(m, self.core.o, self.lanes.i)
        connect(m, self.lanes.o, wiring.flipped(self.o))
        return m


def products_proof(inputs, levels, coding, bits, blocks):
    """One window of any levels, from a source and to a sink that never wait: the sum of every channel."""
    window = WindowShape("input", Map(inputs), (1, 1), (1, 1), (0, 0), 1, levels, 1, 0)
    projection = ProjectionShape(window, coding, bits, 1)
    reach = inputs * levels << (bits - 1)
    dut = Sums(projection, blocks, reach.bit_length() + 1)
    proof = Proof()
    m = proof.m
    m.submodules.dut = dut
    memories, (weights,) = any_weights(proof, dut.shape)
    given = [proof.constant(range(levels + 1), f"level{k}") for k in range(inputs)]
    for level in given:
        proof.assume(level <= levels)
    place = _feed(m, dut, given)
    wanted = []
    for channel in range(blocks.channels):
        block, lane = divmod(channel, blocks.lanes)
        total = Signal(signed(dut.shape.bits), name=f"wanted{channel}")
        m.d.comb += total.eq(sum(weights[block * inputs + k][lane] * level for k, level in enumerate(given)))
        wanted.append(total)
        proof.show(total.name, total)
    left = Signal(range(blocks.channels + 2), name="left")
    m.d.comb += dut.o.ready.eq(1)
    with m.If(dut.o.valid):
        m.d.sync += left.eq(left + 1)
    total = Value.cast(dut.o.payload).as_signed()
    proof.show("sum", total)
    proof.check("a sum is that of products", ~dut.o.valid | (total == Array(wanted)[left]))
    digits = inputs * max(1, len(dut.core.o.payload.shift) + 1 if coding != "unary" else levels)
    depth = inputs + 12 + blocks.count * (digits + 1) + blocks.channels
    late = Signal(range(depth + 2))
    m.d.sync += late.eq(late + 1)
    proof.check("all sums leave", (late < depth - 1) | (left == blocks.channels))
    proof.show("place", place)
    return proof, depth, AnyMemories(memories)


def _feed(m, dut, given):
    """Send the events of a window, one a cycle, and a bare mark."""
    place = Signal(range(len(given) + 2))
    level = Array([*given, 0])[place]
    mark = place == len(given)
    m.d.comb += [
        dut.i.valid.eq((level != 0) | mark),
        dut.i.payload.index.eq(place),
        dut.i.payload.level.eq(level),
        dut.i.payload.end_position.eq(mark),
    ]
    with m.If((dut.i.ready | ~dut.i.valid) & (place <= len(given))):
        m.d.sync += place.eq(place + 1)
    return place


CASES = [
    (2, 3, "binary", 2, Blocks(1, 1, 1, 1)),
    (2, 3, "naf", 3, Blocks(2, 1, 1, 1)),
    (2, 2, "unary", 1, Blocks(2, 1, 2, 1)),
    (3, 1, "binary", 4, Blocks(3, 1, 2, 1)),
]
WIDE = [
    (3, 7, "naf", 4, Blocks(2, 1, 2, 1)),
    (4, 3, "binary", 4, Blocks(2, 1, 1, 1)),
    (3, 4, "unary", 3, Blocks(2, 1, 2, 1)),
    (2, 15, "naf", 4, Blocks(1, 1, 1, 1)),
]
"""Inputs, largest level, coding, bits of a weight, blocks."""


@pytest.mark.parametrize("case", [*CASES, *(pytest.param(case, marks=pytest.mark.slow) for case in WIDE)])
def test_sum_of_products(case):
    proof, depth, platform = products_proof(*case)
    prove(proof, depth, platform=platform)


def test_a_sign_that_is_forgotten_is_found(monkeypatch):
    monkeypatch.setattr("spikefold_hw.parts.lanes.add", lambda total, operand, negative: total + operand)
    proof, depth, platform = products_proof(*CASES[1])
    refute(proof, "a sum is that of products", depth, platform)
