"""A neuron layer in the integers of its population, with the gradients of the trained neuron.

Everything is counted in units of the membrane, so that it is whole numbers held in floating point: exact in
float64, where no tie is decided by a rounding error, and in float32 up to `2^24`, or `2^23` where ties go to
the even level: below, a quotient that is no tie lies further from one than its rounding moves it.
"""

from typing import Any

import torch
from torch import Tensor

from spikefold.ir import Neuron, ShiftSum, ShiftSums
from spikefold.nn import SpikingNeuron
from spikefold.nn.functional import fire
from spikefold.nn.neurons.leak import PerChannel, spread
from spikefold.quantize.rounding import pass_through, round_threshold
from spikefold.quantize.units import Units


def snap(current: Tensor, own: Units, gain: PerChannel = 1.0) -> Tensor:
    """Currents [T, B, channels, ...] in whole units, with a whole bias; gradients pass straight through.

    In float32 at least: 16 bits, which autocast may give, hold too few units.
    """
    if current.dtype in (torch.float16, torch.bfloat16):
        current = current.float()
    axes = (1,) * (current.dim() - 3)
    parameters = own.unit.new_tensor(gain) / own.unit, own.bias - own.exact_bias
    rate, excess = (values.to(current).reshape(-1, *axes) for values in parameters)
    units: Tensor = _Snap.apply(current, rate, excess)  # type: ignore[no-untyped-call]
    return units


def simulate(layer: SpikingNeuron, current: Tensor, own: Units, whole: Neuron) -> Tensor:
    """Run the T steps of a neuron layer over `current` [T, B, channels, ...] as the hardware does.

    Thresholds and fire floor are whole numbers of its `own` units; leak and reset factor, with the rounding
    after them, are those of `whole`. Levels are emitted as the trained layer emits them, times its `scale`.
    """
    axes = (1,) * (current.dim() - 3)
    units = snap(current, own, layer.input_gain)
    threshold = round_threshold(layer.threshold.double(), own.unit, straight_through=True).to(units.dtype)
    gain = (layer.scale / threshold).reshape(layer.steps, -1, *axes)
    threshold = threshold.reshape(layer.steps, -1, *axes)
    floor = None if own.fire_floor is None else own.fire_floor.to(units.dtype).reshape(-1, *axes)
    unit = own.unit.to(units.dtype).reshape(-1, *axes)
    u = s = units[:0]
    emitted = []
    for t, charge in enumerate(units):
        u = _charged(charge, u, s, floor, whole) if t else charge
        if whole.membrane_bits is not None:
            u = u.clamp(-(1 << (whole.membrane_bits - 1)), (1 << (whole.membrane_bits - 1)) - 1)
        s = fire(
            u,
            threshold[t],
            whole.levels,
            rounding=layer.rounding,
            surrogate=layer.surrogate,
            rectify=layer.rectify,
            floor=floor,
            unit=unit,
        )
        emitted.append(s * gain[t])
    return emitted[0][None] if layer.steps == 1 else torch.stack(emitted)


class _Snap(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, current: Tensor, rate: Tensor, excess: Tensor) -> Tensor:
        ctx.save_for_backward(rate)
        return torch.addcmul(excess, current, rate).round_()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (rate,) = ctx.saved_tensors
        return grad * rate, None, None


def _charged(current: Tensor, u: Tensor, s: Tensor, floor: Tensor | None, whole: Neuron) -> Tensor:
    """The next `u`, from that of the step before and what it emitted."""
    fired = s > 0 if floor is None else u >= floor
    if whole.reset == "subtract":
        u = u - s
    elif whole.reset == "zero":
        u = u.masked_fill(fired, 0.0)
    u = current + _scaled(u, whole.leak)
    return u if whole.factor is None else torch.where(fired, _scaled(u, whole.factor), u)


def _scaled(v: Tensor, factor: ShiftSum | ShiftSums) -> Tensor:
    """`apply` of a factor on whole numbers [B, channels, ...]; the gradient is that without rounding."""
    value = factor.value if isinstance(factor, ShiftSum) else tuple(factor.value.tolist())
    scaled = v * spread(value, v)
    return scaled if factor.precision == 0 else pass_through(scaled, (scaled.detach() + 0.5).floor_())
