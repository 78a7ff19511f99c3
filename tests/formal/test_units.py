"""NeuronUnit, Readout and PoolUnit: every beat that must leave does, once and in order, under any stalls."""

from dataclasses import replace

import pytest
from amaranth.hdl import Array, Cat, Const, Mux, Signal, signed
from beats import accept, in_order, moves_on, offer
from faults import FAULTS, Faulty, fault_cases
from memories import AnyMemories
from neurons import HALF, Case, any_parameters, defined_step, shape_of, stored_row
from proof import Proof
from prover import prove, refute

from spikefold.ir.maps import Map
from spikefold_hw.order import Time
from spikefold_hw.parts.neuron import NeuronUnit, neuron_latency
from spikefold_hw.parts.pool import PoolUnit
from spikefold_hw.parts.shapes import Blocks, PoolShape


def unit_proof(case, channels, units, fault=None):
    """A cell after another, of any sums: the events of each are those of the definition."""
    shape = replace(shape_of(case), blocks=Blocks(channels, 1, units, units))
    proof, dut = Proof(), Faulty(NeuronUnit(shape), fault)
    proof.m.submodules.dut = dut
    i, o = offer(proof, dut.i, "i"), accept(proof, dut.o, "o")
    m, words = proof.m, channels // units
    word = Signal(range(words))
    with m.If(i.moves):
        m.d.sync += word.eq(Mux(word == words - 1, 0, word + 1))
    parameters = [any_parameters(proof, case, f"_{c}") for c in range(channels)]
    rows = [stored_row(m, case, shape, each, f"_{c}") for c, each in enumerate(parameters)]
    packed = [Cat(rows[k : k + units]) for k in range(0, channels, units)]
    levels, last_step = _levels(proof, case, shape, i, parameters, word)
    beats, count = _events(m, dut.o.payload, levels, word, units, last_step)
    under_way = in_order(proof, i.moves, Cat(beats), o.moves, o.bits, _room(shape, units), count)
    moves_on(proof, under_way != 0, o.ready, o.moves, neuron_latency(shape) + 2, "o")
    wait = neuron_latency(shape) + 3 if case.steps > 1 else 0
    moves_on(proof, i.valid, o.ready, i.moves, units + 3 + wait, "i")
    return proof, AnyMemories({"layer_parameter": packed})


def _levels(proof, case, shape, i, parameters, word):
    """Levels of the present cell's channels, and whether it is of the last time step."""
    m, units, levels, step = proof.m, shape.blocks.units, [], Signal(range(case.steps))
    for c, each in enumerate(parameters):
        total = i.payload[c % units]
        proof.assume(~i.valid | ((total >= -case.reach) & (total <= case.reach)))
        v, fired = Signal(signed(shape.widths.membrane), name=f"v{c}"), Signal(name=f"fired{c}")
        first = step == 0
        before = Mux(first, 0, v), Mux(first, 0, fired)
        level, after, fires = defined_step(m, case, total, *before, each, f"_{c}")
        with m.If(i.moves & (word == c // units)):
            m.d.sync += [v.eq(after), fired.eq(fires)]
        levels.append(level)
    last_step = step == case.steps - 1
    with m.If(i.moves & (word == len(levels) // units - 1)):
        m.d.sync += step.eq(Mux(last_step, 0, step + 1))
    return levels, last_step


def _room(shape, units):
    return (neuron_latency(shape) + 1) * units


def _events(m, beat, levels, word, units, last_step=1, always=False):
    """Events of a word, and how many; the mark goes with the last word, or `always` with the last neuron."""
    words = [Array(levels[k::units])[word] for k in range(units)]
    last = word == len(levels) // units - 1
    bare = last & (always | ~Cat(w != 0 for w in words).any())
    sends = [(w != 0) | (bare if k == units - 1 else 0) for k, w in enumerate(words)]
    count = Signal(range(units + 1))
    m.d.comb += count.eq(sum(sends, Const(0)))
    beats = []
    for place in range(units):
        value = Signal(len(beat.as_value()), name=f"event{place}")
        for k, send in enumerate(sends):
            index, level = Signal(len(beat.index)), Signal(len(beat.level))
            m.d.comb += [index.eq(word * units + k), level.eq(words[k])]
            mark = last & (count == place + 1)
            with m.If(send & (sum(sends[:k], Const(0)) == place)):
                m.d.comb += value.eq(Cat(index, level, mark, mark, mark & last_step))
        beats.append(value)
    return beats, count


TINY = Case(1, "floor", steps=1, reach=1, bias=0, threshold=1)
STEPS = replace(TINY, steps=2)
SCALED = replace(STEPS, reset="scale", factor=HALF)


def check(case, channels, units, depth=None):
    proof, platform = unit_proof(case, channels, units)
    prove(proof, depth, platform=platform)


@pytest.mark.parametrize("case", [TINY, STEPS])
def test_neuron_unit(case):
    check(case, 1, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "channels"), [(TINY, 2), (STEPS, 2), (SCALED, 1)])
def test_neuron_unit_with_more(case, channels):
    check(case, channels, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "units"), [(2, 2), (4, 2)])
def test_neuron_unit_with_several_units(channels, units):
    """For 16 cycles from any state and a reset."""
    check(TINY, channels, units, 16)


@pytest.mark.parametrize("fault", fault_cases())
def test_a_fault_of_a_neuron_unit_is_found(fault):
    proof, platform = unit_proof(TINY, 2, 1, fault)
    refute(proof, FAULTS[fault][2], platform=platform)


def pool_proof(channels, levels, pooling, fault=None):
    """Windows of any events: what leaves is their sum or their largest, channel by channel."""
    source = 1 if pooling == "sum" else levels
    shape = PoolShape(Map(channels, 1, 1), pooling, source, levels, Time(1, "position_major"))
    proof, dut = Proof(), Faulty(PoolUnit(shape), fault)
    proof.m.submodules.dut = dut
    i, o = offer(proof, dut.i, "i"), accept(proof, dut.o, "o")
    m, event = proof.m, i.payload
    proof.assume(~i.valid | ((event.index < channels) & (event.level <= source)))
    pooled = []
    for c in range(channels):
        kept, now = (
            Signal(range(2 * levels + 2), name=f"kept{c}"),
            Signal(range(2 * levels + 2), name=f"now{c}"),
        )
        m.d.comb += now.eq(kept)
        with m.If(event.index == c):
            more = kept + event.level if pooling == "sum" else Mux(event.level > kept, event.level, kept)
            m.d.comb += now.eq(more)
        with m.If(i.moves):
            m.d.sync += kept.eq(Mux(event.end_position, 0, now))
        proof.assume(~i.moves | (now <= levels))
        pooled.append(now)
    beats, count = _events(m, dut.o.payload, pooled, Const(0), channels, always=True)
    mark = i.moves & event.end_position
    under_way = in_order(proof, mark, Cat(beats), o.moves, o.bits, 3 * channels, count)
    moves_on(proof, under_way != 0, o.ready & dut.cleared, o.moves, 8 + 2 * channels, "o")
    moves_on(proof, i.valid, o.ready & dut.cleared, i.moves, 10 + 2 * channels, "i")
    return proof


@pytest.mark.parametrize(
    ("channels", "levels", "pooling", "depth"),
    [(1, 1, "max", None), (2, 1, "max", 20), pytest.param(2, 2, "sum", 20, marks=pytest.mark.slow)],
)
def test_pool(channels, levels, pooling, depth):
    prove(pool_proof(channels, levels, pooling), depth, platform=AnyMemories())


@pytest.mark.parametrize("fault", fault_cases())
def test_a_fault_of_a_pool_is_found(fault):
    refute(pool_proof(2, 1, "max", fault), FAULTS[fault][2], platform=AnyMemories())
