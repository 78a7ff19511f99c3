"""Fork, Flatten and ProjectionMerge: they keep no beat, and hand on every one."""

import pytest
from amaranth.hdl import Cat, Mux, Signal, Value
from amaranth.lib import stream
from beats import accept, in_order, moves_on, offer
from faults import Faulty, fault_cases
from proof import Proof
from prover import prove, refute

from spikefold.ir.maps import Map
from spikefold_hw.fork import Fork
from spikefold_hw.streaming.window.flatten import Flatten
from spikefold_hw.streaming.window.merge import ProjectionMerge
from spikefold_hw.streaming.window.shape import WindowShape
from spikefold_hw.streams import Digit, Event


def fork_proof(count, fault=None):
    proof, dut = Proof(), Faulty(Fork(stream.Signature(Event(3, 2)), count), fault)
    proof.m.submodules.dut = dut
    i = offer(proof, dut.i, "i")
    readers = [accept(proof, getattr(dut, f"o{k}"), f"o{k}", withdraws=True) for k in range(count)]
    for k, o in enumerate(readers):
        in_order(proof, i.moves, i.bits, o.moves, o.bits, 0, name=f"o{k}")
        proof.check(f"o{k} takes a beat when all do", o.moves == i.moves)
    all_ready = Cat(o.ready for o in readers).all()
    proof.check("a beat moves when all are ready", i.moves == (i.valid & all_ready))
    return proof


@pytest.mark.parametrize("count", [2, 3])
def test_fork(count):
    prove(fork_proof(count))


@pytest.mark.parametrize("fault", fault_cases("withdraws"))
def test_a_fault_of_a_fork_is_found(fault):
    refute(fork_proof(2, fault))


def flatten_proof(map_, fault=None):
    proof, dut = (
        Proof(),
        Faulty(Flatten(WindowShape("input", map_, (1, 1), (1, 1), (0, 0), 1, 2, 1, 0)), fault),
    )
    proof.m.submodules.dut = dut
    i, o = offer(proof, dut.i, "i"), accept(proof, dut.o, "o")
    event, position = i.payload, Signal(range(map_.positions))
    proof.assume(event.index < map_.channels)
    mark, last = event.end_position, position == map_.positions - 1
    with proof.m.If(i.moves & mark):
        proof.m.d.sync += position.eq(Mux(last, 0, position + 1))
    index = Signal.like(dut.o.payload.index)
    proof.m.d.comb += index.eq(position * map_.channels + event.index)
    expected = Cat(index, event.level, mark & last)
    seen = Cat(o.payload.index, o.payload.level, o.payload.end_position)
    in_order(proof, i.moves, expected, o.moves, seen, 0)
    proof.check("a beat moves when the reader is ready", o.moves == (i.valid & o.ready))
    return proof


@pytest.mark.parametrize("map_", [Map(1, 1, 2), Map(5, 2, 3)])
def test_flatten(map_):
    prove(flatten_proof(map_))


@pytest.mark.parametrize("fault", fault_cases())
def test_a_fault_of_a_flatten_is_found(fault):
    refute(flatten_proof(Map(2, 2, 1), fault))


def merge_proof(count, fault=None):
    inputs, output = [Digit(2 + k, 2) for k in range(count)], Digit(1 + count, 2, count)
    proof, dut = Proof(), Faulty(ProjectionMerge(output, inputs), fault)
    proof.m.submodules.dut = dut
    ins = [offer(proof, getattr(dut, f"i{k}"), f"i{k}") for k in range(count)]
    o, turn = accept(proof, dut.o, "o"), Signal(range(count))
    proof.show("turn", turn)
    for k, i in enumerate(ins):
        digit, last = i.payload, k == count - 1
        leaves = Signal(name=f"leaves{k}")
        proof.m.d.comb += leaves.eq(~digit.flush | last)
        proof.check(f"i{k} moves in its turn only", ~i.moves | (turn == k))
        values = (Value.cast(digit[name]) for name in ("row", "shift", "negative"))
        expected = _fields(dut.o.payload, *values, k, digit.flush)
        seen = Cat(o.payload.row, o.payload.shift, o.payload.negative, o.payload.window, o.payload.flush)
        in_order(proof, i.moves, expected, o.moves & (turn == k), seen, 0, leaves, name=f"i{k}")
        moves_on(proof, i.valid & (turn == k), o.ready, i.moves, 1, f"i{k}")
        with proof.m.If(i.moves & digit.flush):
            proof.m.d.sync += turn.eq(0 if last else k + 1)
    return proof


def _fields(digit, row, shift, negative, window, flush):
    wide = [Signal(len(member)) for member in (digit.row, digit.shift, digit.negative, digit.window)]
    return Cat(wide[0] | row, wide[1] | shift, wide[2] | negative, wide[3] | window, flush)


@pytest.mark.parametrize("count", [2, 4])
def test_merge(count):
    prove(merge_proof(count))


@pytest.mark.parametrize("fault", fault_cases())
def test_a_fault_of_a_merge_is_found(fault):
    refute(merge_proof(2, fault))
