"""The neuron unit's levels and membranes are those of docs/numerics.md, by integer division, for all inputs."""

from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
import pytest
from amaranth.hdl import Array, Cat, Const, Mux, Signal, Value, signed, unsigned
from layer_samples import sample_layer
from memories import AnyMemories
from proof import Proof
from prover import prove, refute

from spikefold.ir import Neuron, ShiftSum
from spikefold.ir.neuron import ladder_weights
from spikefold_hw.parts.neuron import NeuronUnit, neuron_latency
from spikefold_hw.parts.parameters import parameter_fields
from spikefold_hw.parts.shapes import Blocks

UNITY, HALF = ShiftSum(((1, 0),)), ShiftSum(((1, 1),))
_FIRE, _RESET = NeuronUnit._fire, NeuronUnit._reset
THREE = ShiftSum(((1, 0), (-1, 2), (1, 3)))


@dataclass(frozen=True)
class Case:
    """What a neuron does, and how far its numbers reach.

    `sums` are sums of weighted levels, `bias`, `threshold` and `floor` their largest values.
    """

    levels: int
    rounding: str = "half_up"
    reset: str = "subtract"
    leak: ShiftSum = UNITY
    factor: ShiftSum | None = None
    floor: int | None = None
    cap: int | None = None
    steps: int = 2
    fraction: int = 0
    reach: int = 3
    threshold: int = 7
    bias: int = 3


def shape_of(case):
    """The shape of a unit of one neuron whose parameters may be anything up to those of the case."""
    corners = list(product((-case.bias, case.bias), (1, case.threshold), (-1, 1)))
    bias, threshold, sign = (np.array(column) for column in zip(*corners, strict=True))
    neuron = Neuron(
        case.levels,
        threshold[None],
        rounding=case.rounding,
        reset=case.reset,
        leak=case.leak,
        factor=case.factor,
        fire_floor=None if case.floor is None else sign * case.floor,
        membrane_bits=case.cap,
    )
    weight = np.tile([-1, 1], (1, len(corners), 1))
    sample = sample_layer(
        weight,
        1,
        levels=case.reach,
        steps=case.steps,
        static=False,
        lanes=1,
        bias=bias[None],
        fraction=case.fraction,
        neuron=neuron,
    )
    return replace(sample.drain_shape, blocks=Blocks(1, 1, 1, 1))


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


def any_parameters(proof, case, suffix=""):
    """Bias, θ and fire floor of a neuron, as far as they reach."""
    bits = case.threshold.bit_length()
    bias = proof.constant(signed(case.bias.bit_length() + 1), f"bias{suffix}")
    threshold = proof.constant(unsigned(bits), f"threshold{suffix}")
    proof.assume((bias >= -case.bias) & (bias <= case.bias))
    proof.assume((threshold >= 1) & (threshold <= case.threshold))
    floor = None
    if case.floor is not None:
        floor = proof.constant(signed(case.floor.bit_length() + 1), f"floor{suffix}")
        proof.assume((floor >= -case.floor) & (floor <= case.floor))
    return bias, threshold, floor


def stored_row(m, case, shape, parameters, suffix=""):
    """The parameters as they stand in the memory."""
    bias, threshold, floor = parameters
    half = threshold >> 1 if case.rounding == "half_up" and shape.neuron.merged else Const(0)
    values = {"bias": bias + half, "threshold": threshold, "top": threshold * shape.neuron.top}
    if floor is not None:
        values["fire_floor"] = floor + half
    fields = []
    for name, (bits, _) in parameter_fields(shape).items():
        field_ = Signal(bits, name=f"stored_{name}{suffix}")
        m.d.comb += field_.eq(values[name])
        fields.append(field_)
    return Cat(fields)


def defined(m, case, sums, parameters, suffix=""):
    """Level and membrane of each step as docs/numerics.md defines them."""
    bias, threshold, floor = parameters
    half = threshold >> 1 if case.rounding == "half_up" else Const(0)
    v, fired, levels, membranes = Const(0, signed(1)), Const(0), [], []
    for k, total in enumerate(sums):
        u = _named(m, _through(case.leak, v) + (total << case.fraction) + bias, f"u{k}{suffix}")
        if case.factor is not None:
            u = _named(m, Mux(fired, _through(case.factor, u), u), f"scaled{k}{suffix}")
        if case.cap is not None:
            low, high = -(1 << (case.cap - 1)), (1 << (case.cap - 1)) - 1
            u = _named(m, Mux(u < low, low, Mux(u > high, high, u)), f"capped{k}{suffix}")
        r = _named(m, u + half, f"r{k}{suffix}")
        quotient = _named(m, r.as_unsigned() // threshold, f"quotient{k}")  # where r is not negative
        n = Mux(r < 0, 0, Mux(quotient > case.levels, case.levels, quotient))
        fires = n > 0 if floor is None else u >= floor
        n = _named(m, Mux(fires, n, 0), f"n{k}{suffix}")
        fired = _named(m, fires, f"fired{k}{suffix}")
        kept = {"subtract": u - n * threshold, "zero": Mux(fired, 0, u)}.get(case.reset, u)
        v = _named(m, kept, f"v{k}{suffix}")
        levels.append(n)
        membranes.append(v)
    return levels, membranes


def _through(factor, value):
    """The factor as a fraction with a power of two below, rounded half up."""
    return (value * factor.numerator + ((1 << factor.precision) >> 1)) >> factor.precision


def _named(m, value, name):
    signal = Signal(value.shape(), name=name)
    m.d.comb += signal.eq(value)
    return signal


LEVELS = (1, 2, 3, 4, 7, 15, 20)
RESETS = ("subtract", "zero", "scale", "none")


def check(case):
    proof, depth, platform = neuron_proof(case)
    prove(proof, depth, platform=platform)


@pytest.mark.parametrize("rounding", ["half_up", "floor"])
@pytest.mark.parametrize("levels", LEVELS)
def test_level_of_one_step(levels, rounding):
    """Sums to ±(D + 3), bias to ±3, θ to 7: all levels, and the cap where there is one."""
    check(Case(levels, rounding, steps=1, reach=levels + 3, cap=5 if levels % 2 else None))


KINDS = {
    "LIF": Case(1, "floor", leak=HALF),
    "I-LIF": Case(4, threshold=1),
    "PIT": Case(7, reach=7),
    "QB-LIF": Case(3, "floor", "scale", factor=HALF),
    "ReverB": Case(3, "floor", "zero", floor=7),
    "none": Case(2, reset="none", leak=THREE),
    "zero, capped": Case(2, reset="zero", cap=4),
    "scale, all": Case(3, reset="scale", leak=THREE, factor=THREE, floor=7, cap=4, fraction=1),
}


@pytest.mark.parametrize("kind", KINDS)
def test_two_steps_of_every_kind(kind):
    """Level and membrane of both steps, from any two sums."""
    check(KINDS[kind])


@pytest.mark.slow
@pytest.mark.parametrize("cap", [None, 5])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("rounding", ["half_up", "floor"])
@pytest.mark.parametrize("levels", LEVELS)
def test_two_steps_of_everything(levels, rounding, reset, cap):
    factor = THREE if reset == "scale" else None
    check(Case(levels, rounding, reset, THREE, factor, cap=cap, reach=levels + 3))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["LIF", "PIT", "QB-LIF", "ReverB"])
def test_three_steps(kind):
    check(replace(KINDS[kind], steps=3, leak=HALF))


@pytest.mark.slow
@pytest.mark.parametrize("rounding", ["half_up", "floor"])
@pytest.mark.parametrize("levels", LEVELS)
def test_level_of_wide_numbers(levels, rounding):
    """Sums to ±255 and 4 bits of fraction, bias to ±255, θ to 1023."""
    check(Case(levels, rounding, steps=1, reach=255, fraction=4, bias=255, threshold=1023))


def _deeper(levels):
    """A ladder that tries the multiples in another order."""
    return tuple(reversed(ladder_weights(levels)))


@pytest.mark.parametrize(
    ("name", "fault", "case", "text"),
    [
        (
            "_fire",
            lambda self, p: _FIRE(self, p) or p.let(level=p.level | (p.u == 5)),
            Case(3, steps=1),
            "level of step 0",
        ),
        ("_saturate", lambda self, p: Const(0), Case(7, steps=1, reach=10, cap=4), "level of step 0"),
        (
            "_reset",
            lambda self, p: (
                p.let(allowed=p.allowed) or _RESET(self, p) or p.let(state=p.state + (p.level == 2))
            ),
            Case(2),
            "membrane after step 0",
        ),
    ],
)
def test_a_broken_neuron_is_found(monkeypatch, name, fault, case, text):
    monkeypatch.setattr(NeuronUnit, name, fault)
    proof, depth, platform = neuron_proof(case)
    refute(proof, text, depth, platform=platform)


def test_a_wrong_ladder_is_found(monkeypatch):
    monkeypatch.setattr("spikefold_hw.parts.neuron.ladder_weights", _deeper)
    proof, depth, platform = neuron_proof(Case(7, steps=1, reach=7))
    refute(proof, "level of step 0", depth, platform=platform)


def test_a_register_that_is_too_narrow_is_found(monkeypatch):
    narrow = NeuronUnit._potential
    monkeypatch.setattr(NeuronUnit, "_potential", lambda self, value: narrow(self, value)[:4].as_signed())
    proof, depth, platform = neuron_proof(Case(4, steps=1, reach=7))
    refute(proof, "level of step 0", depth, platform=platform)
