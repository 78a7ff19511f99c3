"""The spiking neuron as pure functions of tensors, without hidden state.

Symbols are the paper's: ``u`` membrane after charging, ``a`` real value of one level (the diagonal of
``A_t``), ``D`` largest level, ``v`` membrane after reset, ``s`` emitted value ``a * n`` of level ``n``.
Equation numbers refer to "Advancing Spatiotemporal Representations in Spiking Neural Networks via
Parametric Invertible Transformation" (PIT, ICLR 2026).
"""

import math

import torch
from torch import Tensor

ROUNDINGS = ("half_up", "floor")
RESETS = ("subtract", "zero", "none")


def round_half_up(x: Tensor) -> Tensor:
    """Return ``floor(x + 1/2)`` without the rounding error of that sum just below a tie."""
    whole = torch.floor(x)
    return whole + (x - whole >= 0.5).to(x.dtype)


def fire_levels(u: Tensor, a: Tensor, levels: int, rounding: str = "half_up") -> Tensor:
    """Return the levels ``n = clip(round(u / a), 0, D)`` as whole numbers in the dtype of ``u``.

    ``rounding`` is "half_up" (PIT Eq. 10, I-LIF Eq. 8) or "floor" (LIF Eq. 2: ``u >= a`` fires).
    ``a`` must be positive and broadcast against ``u``.
    """
    x = u / a
    rounded = round_half_up(x) if rounding == "half_up" else torch.floor(x)
    return rounded.clamp(0, levels)


class _Fire(torch.autograd.Function):
    """``s = a * clip(round(u / a), 0, D)`` with the rectified straight-through gradient.

    Both inputs have one shape. For "floor" the decision boundaries sit half a level higher than for
    "half_up", so the surrogate window and the distance are taken from ``u / a - 1/2``: for LIF this is
    the rectangle of width one centred on the threshold.
    """

    @staticmethod
    def forward(ctx, u: Tensor, a: Tensor, levels: int, rectify: float, rounding: str) -> Tensor:
        n = fire_levels(u, a, levels, rounding)
        ctx.save_for_backward(u, a, n)
        ctx.levels, ctx.rectify, ctx.offset = levels, rectify, 0.0 if rounding == "half_up" else 0.5
        return a * n

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        u, a, n = ctx.saved_tensors
        x = u / a
        y = x - ctx.offset
        window = ((y >= 0) & (y <= ctx.levels)).to(grad.dtype)
        grad_u = grad_a = None
        if ctx.needs_input_grad[0]:
            distance = (y - torch.floor(y) - 0.5).abs()  # |dis(x)|, Eq. 13
            grad_u = grad * window * (1 + ctx.rectify * (0.5 - distance))  # Eq. 30
        if ctx.needs_input_grad[1]:
            grad_a = grad * (n - x * window)  # Eq. 32
        return grad_u, grad_a, None, None, None


def pit_step(u: Tensor, a: Tensor, levels: int, rectify: float = 0.01, rounding: str = "half_up") -> Tensor:
    """Fire (PIT Eq. 10): return ``s = a * clip(round(u / a), 0, D)``, shape and dtype of ``u``.

    Gradients: with respect to ``u`` Eq. 30 (Eq. 13 with ``dis(x) = x - floor(x) - 1/2``, inside
    ``0 <= u/a <= D`` and zero outside), with respect to ``a`` Eq. 32 (no rectifier term), summed over the
    axes ``a`` was broadcast along. ``rectify`` is the paper's lambda.
    """
    return _Fire.apply(u, a.expand_as(u), levels, rectify, rounding)


def step(
    current: Tensor,
    v: Tensor,
    a: Tensor,
    *,
    levels: int,
    leak: float = 0.5,
    rectify: float = 0.01,
    rounding: str = "half_up",
    reset: str = "subtract",
) -> tuple[Tensor, Tensor]:
    """One time step: charge (Eq. 9), fire (Eq. 10), reset (Eq. 11); return ``(s, v)``.

    ``current`` and ``v`` share a shape, ``a`` broadcasts against them. ``reset``: "subtract" leaves
    ``v = u - s``, "zero" leaves 0 where a spike was emitted, "none" leaves ``u``.
    """
    u = charge(current, v, leak)
    s = pit_step(u, a, levels, rectify, rounding)
    return s, discharge(u, s, reset)


def charge(current: Tensor, v: Tensor, leak: float) -> Tensor:
    """Return the charged membrane ``u = leak * v + current`` (PIT Eq. 9)."""
    return leak * v + current


def discharge(u: Tensor, s: Tensor, reset: str) -> Tensor:
    """Return the membrane after the reset named by ``reset``; ``s`` is the emitted value (PIT Eq. 11)."""
    if reset == "subtract":
        return u - s
    return u.masked_fill(s > 0, 0.0) if reset == "zero" else u


def three_sigma(u: Tensor, levels: int, floor: float = 1e-3) -> Tensor:
    """Return the initial scale per channel from a batch of membranes (PIT Eq. 12), shape [C].

    ``max(|mean - 3 sigma|, |mean + 3 sigma|) / sqrt(D)`` with the statistics of channel axis 1 of ``u``
    ([B, C, ...]) over all other axes; sigma is the population's (divided by the count). A channel that
    never moves would get 0, so the result is at least ``floor``.
    """
    axes = [axis for axis in range(u.dim()) if axis != 1]
    sigma, mean = torch.std_mean(u, dim=axes, correction=0)
    bound = torch.maximum((mean - 3 * sigma).abs(), (mean + 3 * sigma).abs())
    return (bound / math.sqrt(levels)).clamp_min(floor)


def encode_levels(x: Tensor, levels: int, minimum: float, maximum: float) -> Tensor:
    """Return the input levels ``min(D_in, max(0, floor((x - min) * D_in / (max - min) + 1/2)))`` as int64.

    Values outside ``minimum..maximum`` saturate. Computed in float64 whatever the dtype of ``x``, so that
    every part of the tool chain gets the same level.
    """
    scaled = (x.to(torch.float64) - minimum) * levels / (maximum - minimum) + 0.5
    return torch.floor(scaled).clamp(0, levels).to(torch.int64)
