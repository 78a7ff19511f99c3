"""AddUnit: every cell that leaves is the sum of both sources', whichever comes first, under any stalls."""

import pytest
from amaranth.hdl import Cat, Mux, Signal
from beats import accept, offer
from faults import FAULTS, Faulty, fault_cases
from memories import AnyMemories
from proof import Proof
from prover import prove, refute
from shape_samples import join_shape

from spikefold.ir.maps import Map
from spikefold_hw.streaming.join.unit import AddUnit


def add_proof(channels, levels=(1, 1), depths=(1, 2), fault=None):
    """The prover picks one of the first cells and a channel of it."""
    proof, dut = Proof(), Faulty(AddUnit(join_shape(Map(channels), levels, depths)), fault)
    proof.m.submodules.dut = dut
    m = proof.m
    cell, channel = proof.constant(range(4), "cell"), proof.constant(range(channels), "channel")
    proof.assume(channel < channels)
    ins = [_Cells(proof, offer(proof, getattr(dut, name), name), name) for name in ("i0", "i1")]
    out = _Cells(proof, accept(proof, dut.o, "o"), "o")
    total = 0
    for each, largest in zip(ins, levels, strict=True):
        event, before = each.beat, each.before
        proof.assume(~each.valid | ((event.index < channels) & (event.level <= largest)))
        proof.assume(~each.valid | event.end_position | (event.level != 0))
        proof.assume(~each.valid | ~each.inside | (event.index > before) | (event.level == 0))
        level = Signal(len(event.level))
        hit = each.moves & (each.count == cell) & (event.index == channel) & (event.level != 0)
        with m.If(hit):
            m.d.sync += level.eq(event.level)
        total = total + level
        early = out.moves & (out.count == each.count)
        proof.check(f"{each.name}: a cell leaves when it is whole", ~early)
    event, its = out.beat, out.moves & (out.count == cell)
    hit, seen = its & (event.index == channel), Signal()
    with m.If(its):
        m.d.sync += seen.eq(seen | hit)
    proof.show("total", total)
    proof.check("a level is the sum", ~hit | ((event.level == total) & ~seen))
    proof.check("no level is missing", ~(its & event.end_position) | (total == 0) | seen | hit)
    proof.check("channels ascend", ~out.moves | ~out.inside | (event.index > out.before))
    marks = Cat(event.end_position, event.end_step, event.end_sample)
    proof.check(
        "the last channel has the mark", ~out.moves | (marks == Mux(event.index == channels - 1, 7, 0))
    )
    proof.check("only a mark has level 0", ~out.moves | (event.level != 0) | event.end_position)
    return proof


class _Cells:
    """Which cell of a stream is under way."""

    def __init__(self, proof, side, name):
        m, self.beat, self.name = proof.m, side.payload, name
        self.moves, self.valid = side.moves, side.valid
        self.count, self.inside = Signal(range(12), name=f"{name}_cell"), Signal(name=f"{name}_inside")
        self.before = Signal.like(self.beat.index)
        with m.If(self.moves):
            m.d.sync += [self.inside.eq(~self.beat.end_position), self.before.eq(self.beat.index)]
            m.d.sync += self.count.eq(self.count + self.beat.end_position)
        proof.assume(self.count < 11)
        proof.show(self.count.name, self.count)


@pytest.mark.parametrize(
    ("channels", "levels", "depths"),
    [(1, (1, 1), (1, 1)), (2, (1, 1), (1, 2)), pytest.param(2, (3, 1), (2, 1), marks=pytest.mark.slow)],
)
def test_add(channels, levels, depths):
    """For 18 cycles from any state and a reset."""
    prove(add_proof(channels, levels, depths), 18, platform=AnyMemories())


@pytest.mark.parametrize("fault", fault_cases("mute", "deaf"))
def test_a_fault_is_found(fault):
    refute(add_proof(1, fault=fault), FAULTS[fault][2], platform=AnyMemories())
