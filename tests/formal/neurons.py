"""Neurons in proofs: any parameters, and level and membrane as docs/numerics.md defines them."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from amaranth.hdl import Array, Cat, Const, Mux, Signal, signed, unsigned
from layer_samples import sample_layer

from spikefold.ir import Neuron, ShiftSum, ShiftSums
from spikefold_hw.parts.leak import code_rows
from spikefold_hw.parts.parameters import parameter_fields
from spikefold_hw.parts.shapes import Blocks

UNITY, HALF = ShiftSum(((1, 0),)), ShiftSum(((1, 1),))
THREE = ShiftSum(((1, 0), (-1, 2), (1, 3)))
EACH = ShiftSums((THREE, HALF, ShiftSum(()), ShiftSum(((1, 0), (1, 2))), ShiftSum(((-1, 1), (-1, 3)))))
"""Leaks of channels: of no term to three, of either sign."""


@dataclass(frozen=True)
class Case:
    """What a neuron does, and how far its numbers reach.

    `reach` is the largest sum of weighted levels; `bias`, `threshold` and `floor` are the largest values.
    """

    levels: int
    rounding: str = "half_up"
    reset: str = "subtract"
    leak: ShiftSum | ShiftSums = UNITY
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
    leaks = leaks_of(case)
    corners = list(product((-case.bias, case.bias), (1, case.threshold), (-1, 1), range(len(leaks))))
    bias, threshold, sign, which = (np.array(column) for column in zip(*corners, strict=True))
    neuron = Neuron(
        case.levels,
        threshold[None],
        rounding=case.rounding,
        reset=case.reset,
        leak=ShiftSums(tuple(leaks[k] for k in which)),
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


def leaks_of(case):
    """The leaks that its channels may have."""
    return case.leak.channels if isinstance(case.leak, ShiftSums) else (case.leak,)


def any_parameters(proof, case, suffix=""):
    """Bias, θ and fire floor of a neuron, as far as they reach, and which leak of the case it has."""
    bits = case.threshold.bit_length()
    bias = proof.constant(signed(case.bias.bit_length() + 1), f"bias{suffix}")
    threshold = proof.constant(unsigned(bits), f"threshold{suffix}")
    proof.assume((bias >= -case.bias) & (bias <= case.bias))
    proof.assume((threshold >= 1) & (threshold <= case.threshold))
    floor = None
    if case.floor is not None:
        floor = proof.constant(signed(case.floor.bit_length() + 1), f"floor{suffix}")
        proof.assume((floor >= -case.floor) & (floor <= case.floor))
    leaks = leaks_of(case)
    which = proof.constant(unsigned(max(1, (len(leaks) - 1).bit_length())), f"which_leak{suffix}")
    proof.assume(which < len(leaks))
    return bias, threshold, floor, which


def stored_row(m, case, shape, parameters, suffix=""):
    """The parameters as they stand in the memory."""
    bias, threshold, floor, which = parameters
    half = threshold >> 1 if case.rounding != "floor" and shape.neuron.merged else Const(0)
    values = {"bias": bias + half, "threshold": threshold, "top": threshold * shape.neuron.top}
    if floor is not None:
        values["fire_floor"] = floor + half
    codes = code_rows(case.leak, shape.neuron.leak, 1) if case.steps > 1 else {}
    values |= {name: Array(map(int, row))[which] for name, row in codes.items()}
    fields = []
    for name, (bits, _) in parameter_fields(shape).items():
        field_ = Signal(bits, name=f"stored_{name}{suffix}")
        m.d.comb += field_.eq(values[name])
        fields.append(field_)
    return Cat(fields)


def defined(m, case, sums, parameters):
    """Level and membrane of each step, from rest, as docs/numerics.md defines them."""
    v, fired, levels, membranes = Const(0, signed(1)), Const(0), [], []
    for k, total in enumerate(sums):
        n, v, fired = defined_step(m, case, total, v, fired, parameters, f"{k}")
        levels.append(n)
        membranes.append(v)
    return levels, membranes


def defined_step(m, case, total, v, fired, parameters, name):
    """`(n, v, fired)` after one time step."""
    bias, threshold, floor, which = parameters
    half = threshold >> 1 if case.rounding != "floor" else Const(0)
    leaked = _named(m, Array(_through(leak, v) for leak in leaks_of(case))[which], f"leaked{name}")
    u = _named(m, leaked + (total << case.fraction) + bias, f"u{name}")
    if case.factor is not None:
        u = _named(m, Mux(fired, _through(case.factor, u), u), f"scaled{name}")
    if case.cap is not None:
        low, high = -(1 << (case.cap - 1)), (1 << (case.cap - 1)) - 1
        u = _named(m, Mux(u < low, low, Mux(u > high, high, u)), f"capped{name}")
    r = _named(m, u + half, f"r{name}")
    quotient = _named(m, r.as_unsigned() // threshold, f"quotient{name}")  # where r is not negative
    if case.rounding == "half_even":
        tie = (u + u).as_signed() == (2 * quotient - 1) * threshold  # u is (quotient - 1/2) times θ
        quotient = _named(m, quotient - (tie & quotient[0]), f"even{name}")
    n = Mux(r < 0, 0, Mux(quotient > case.levels, case.levels, quotient))
    fires = n > 0 if floor is None else u >= floor
    n = _named(m, Mux(fires, n, 0), f"n{name}")
    kept = {"subtract": u - n * threshold, "zero": Mux(fires, 0, u)}.get(case.reset, u)
    return n, _named(m, kept, f"v{name}"), _named(m, fires, f"fired{name}")


def _through(factor, value):
    """The factor as a fraction with a power of two below, rounded half up."""
    return (value * factor.numerator + ((1 << factor.precision) >> 1)) >> factor.precision


def _named(m, value, name):
    signal = Signal(value.shape(), name=name)
    m.d.comb += signal.eq(value)
    return signal
