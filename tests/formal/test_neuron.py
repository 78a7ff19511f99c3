"""The neuron unit's levels and membranes are those of docs/numerics.md, by division, for all inputs."""

from dataclasses import replace
from typing import get_args

import pytest
from amaranth.hdl import Array, Const, Signal, Value, signed
from memories import AnyMemories
from neurons import EACH, HALF, THREE, Case, any_parameters, defined, shape_of, stored_row
from proof import Proof
from prover import prove, refute

from spikefold.ir.neuron import Rounding, ladder_weights
from spikefold_hw.parts.neuron import NeuronUnit, neuron_latency


def neuron_proof(case):
    """One neuron's time steps one after another: its levels, and its membrane after each."""
    shape, proof = shape_of(case), Proof()
    m = proof.m
    parameters = any_parameters(proof, case)
    dut = NeuronUnit(shape)
    m.submodules.dut = dut
    sums = [proof.constant(signed(shape.widths.accumulator), f"sum{k}") for k in range(case.steps)]
    for each in sums:
        proof.assume((each >= -case.reach) & (each <= case.reach))
    taken, left, stored = (Signal(range(case.steps + 2), name=name) for name in ("taken", "left", "stored"))
    m.d.comb += [
        dut.i.valid.eq(taken < case.steps),
        Value.cast(dut.i.payload[0]).eq(Array(sums)[taken]),
        dut.o.ready.eq(1),
    ]
    writes, state = Signal(), Signal(shape.widths.membrane + (case.reset == "scale"))
    for count, moves in ((taken, dut.i.valid & dut.i.ready), (left, dut.o.valid), (stored, writes)):
        with m.If(moves & (count <= case.steps)):
            m.d.sync += count.eq(count + 1)
    levels, membranes = defined(m, case, sums, parameters)
    level = dut.o.payload.level
    proof.show("level", level)
    proof.show("valid", dut.o.valid)
    for k in range(case.steps):
        proof.show(f"defined_level{k}", levels[k])
        proof.check(f"level of step {k}", ~(dut.o.valid & (left == k)) | (level == levels[k]))
        if case.steps > 1:
            kept = state[: shape.widths.membrane].as_signed()
            proof.show(f"defined_membrane{k}", membranes[k])
            kept = -kept if shape.neuron.mirrored else kept
            proof.check(f"membrane after step {k}", ~(writes & (stored == k)) | (kept == membranes[k]))
    proof.show("writes", writes)
    proof.show("state", state)
    row = stored_row(m, case, shape, parameters)
    platform = AnyMemories({"layer_parameter": [row]}, {"layer_state": (writes, state)})
    depth = case.steps * (neuron_latency(shape) + 4) + 1
    # The last step must have left by then.
    late = Signal(range(depth + 2))
    m.d.sync += late.eq(late + 1)
    proof.check("every step leaves", (late < depth - 1) | (left == case.steps))
    return proof, depth, platform


ROUNDINGS = get_args(Rounding)
LEVELS = (1, 2, 3, 4, 7, 15, 20)
RESETS = ("subtract", "zero", "scale", "none")


def check(case):
    proof, depth, platform = neuron_proof(case)
    prove(proof, depth, platform=platform)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("levels", LEVELS)
def test_level_of_one_step(levels, rounding):
    """Sums to ±(D + 3), bias to ±3, θ to 7: all levels, and the cap where there is one."""
    check(Case(levels, rounding, steps=1, reach=levels + 3, cap=5 if levels % 2 else None))


KINDS = {
    "I-LIF, half to even": Case(4, "half_even", leak=HALF, reach=5),
    "LIF": Case(1, "floor", leak=HALF),
    "I-LIF": Case(4, threshold=1),
    "PIT": Case(7, reach=7),
    "QB-LIF": Case(3, "floor", "scale", factor=HALF),
    "ReverB": Case(3, "floor", "zero", floor=7),
    "floor, half to even": Case(2, "half_even", "zero", floor=3, threshold=3),
    "none": Case(2, reset="none", leak=THREE),
    "zero, capped": Case(2, reset="zero", cap=4),
    "leaks of channels": Case(2, leak=EACH),
    "leaks of channels, half to even": Case(2, "half_even", leak=EACH, cap=5),
    "leaks of channels, zero": Case(3, "floor", "zero", leak=EACH, floor=7),
    "leaks of channels, all": Case(3, reset="scale", leak=EACH, factor=THREE, floor=7, cap=5, fraction=1),
    "scale, all": Case(3, reset="scale", leak=THREE, factor=THREE, floor=7, cap=4, fraction=1),
}
QUICK = ("I-LIF, half to even", "LIF", "PIT", "QB-LIF", "ReverB", "leaks of channels")


@pytest.mark.parametrize(
    "kind", [k if k in QUICK else pytest.param(k, marks=pytest.mark.slow) for k in KINDS]
)
def test_two_steps_of_every_kind(kind):
    """Level and membrane of both steps, from any two sums."""
    check(KINDS[kind])


@pytest.mark.slow
@pytest.mark.parametrize("cap", [None, 5])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("levels", LEVELS)
def test_two_steps_of_everything(levels, rounding, reset, cap):
    factor = THREE if reset == "scale" else None
    check(Case(levels, rounding, reset, THREE, factor, cap=cap, reach=levels + 3))


@pytest.mark.slow
@pytest.mark.parametrize("kind", QUICK)
def test_three_steps(kind):
    check(replace(KINDS[kind], steps=3, leak=HALF))


@pytest.mark.slow
@pytest.mark.parametrize("reset", RESETS)
def test_three_steps_of_leaks_of_channels(reset):
    check(Case(3, reset=reset, leak=EACH, factor=HALF if reset == "scale" else None, steps=3))


@pytest.mark.slow
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("levels", LEVELS)
def test_level_of_wide_numbers(levels, rounding):
    """Sums to ±255 and 4 bits of fraction, bias to ±255, θ to 1023."""
    check(Case(levels, rounding, steps=1, reach=255, fraction=4, bias=255, threshold=1023))


_FIRE, _RESET = NeuronUnit._fire, NeuronUnit._reset


def _wrong_at_five(self, p):
    _FIRE(self, p)
    p.let(level=p.level | (p.u == 5))


def _without_cap(self, p):
    return Const(0)


def _ties_up(self, p):
    """The last multiple is θ, as the others are its own."""
    return p.threshold


def _beyond_the_largest(self, level):
    return Const(0)


def _one_off(self, p):
    """The membrane as if θ had been taken, where it was θ + 1."""
    return (p.threshold >> 1) + p.r + 1


def _wrong_after_level_two(self, p):
    _RESET(self, p)
    p.let(state=p.state + (p.level == 2))


@pytest.mark.parametrize(
    ("name", "fault", "case", "text"),
    [
        ("_fire", _wrong_at_five, Case(3, steps=1), "level of step 0"),
        ("_saturate", _without_cap, Case(7, steps=1, reach=10, cap=4), "level of step 0"),
        ("_reset", _wrong_after_level_two, Case(2), "membrane after step 0"),
        ("_strict", _ties_up, Case(3, "half_even", steps=1), "level of step 0"),
        ("_full", _beyond_the_largest, Case(4, "half_even", steps=1, reach=7), "level of step 0"),
        ("_mirrored", _one_off, Case(3, "half_even"), "membrane after step 0"),
    ],
)
def test_a_broken_neuron_is_found(monkeypatch, name, fault, case, text):
    monkeypatch.setattr(NeuronUnit, name, fault)
    _refute(case, text)


def test_a_wrong_ladder_is_found(monkeypatch):
    """It tries the multiples in another order."""
    monkeypatch.setattr(
        "spikefold_hw.parts.shapes.ladder_weights", lambda *kind: tuple(reversed(ladder_weights(*kind)))
    )
    _refute(Case(7, steps=1, reach=7), "level of step 0")


def test_a_wrong_sign_of_a_leak_is_found(monkeypatch):
    """The carry that makes an inverted term a negative one is left out."""
    monkeypatch.setattr("spikefold_hw.parts.leak.add", lambda total, operand, negative: total + operand)
    _refute(Case(2, leak=EACH), "level of step 1")


def test_a_register_that_is_too_narrow_is_found(monkeypatch):
    narrow = NeuronUnit._potential
    monkeypatch.setattr(NeuronUnit, "_potential", lambda self, value: narrow(self, value)[:4].as_signed())
    _refute(Case(4, steps=1, reach=7), "level of step 0")


def _refute(case, text):
    proof, depth, platform = neuron_proof(case)
    refute(proof, text, depth, platform)
