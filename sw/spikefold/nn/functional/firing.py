"""Firing: levels of a membrane, with a surrogate gradient.

torch's `Function.apply` has no types, hence what mypy is told below.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikefold.nn.functional.levels import fire_levels
from spikefold.nn.functional.surrogates import slope


class _Fire(torch.autograd.Function):
    """``s = a * n``. Saves ``u`` alone: levels are found again, so a caller may add to ``s`` in place."""

    @staticmethod
    def forward(
        ctx: Any,
        u: Tensor,
        a: Tensor,
        levels: int,
        rounding: str,
        surrogate: str,
        rectify: float,
        floor: float | Tensor | None,
        unit: Tensor | None,
    ) -> Tensor:
        ctx.save_for_backward(u, a)
        ctx.ladder = (levels, rounding, surrogate, rectify)
        ctx.floor = floor
        ctx.unit = unit if surrogate == "relsg_et" else None  # the others depend on u / a alone
        return _emitted(u, a, levels, rounding, floor)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        u, a = ctx.saved_tensors
        levels, rounding, *_ = ctx.ladder
        real = (u, a) if ctx.unit is None else (u * ctx.unit, a * ctx.unit)
        g, window = slope(*real, *ctx.ladder)
        if ctx.floor is not None:
            grad = grad * (u >= ctx.floor)
        grad_a = None
        if ctx.needs_input_grad[1]:  # grad * (n - x w) = grad * (s - u w) / a, with a constant where it sums
            rest = _emitted(u, a, levels, rounding, None).addcmul_(u, window, value=-1)
            grad_a = rest.mul_(grad).sum_to_size(a.shape) / a
        grad_u = g.mul_(grad) if ctx.needs_input_grad[0] else None
        return grad_u, grad_a, None, None, None, None, None, None


def _emitted(u: Tensor, a: Tensor, levels: int, rounding: str, floor: float | Tensor | None) -> Tensor:
    s = fire_levels(u, a, levels, rounding).mul_(a)
    return s if floor is None else s.mul_(u >= floor)


def fire(
    u: Tensor,
    a: Tensor,
    levels: int,
    *,
    rounding: str = "half_up",
    surrogate: str = "rectified",
    rectify: float = 0.01,
    floor: float | Tensor | None = None,
    unit: Tensor | None = None,
) -> Tensor:
    """Return ``s = a * n`` with ``n = clip(round(u / a), 0, D)`` (PIT Eq. 10, QB-LIF Eq. 9), shape of ``u``.

    Parameters
    ----------
    u : membrane after charging.
    a : distance between two levels, above 0; broadcasts against ``u``.
    levels : D.
    rounding : "half_up", "half_even" or "floor".
    surrogate : names the slope ``g`` that stands for ``ds/du``, see ``functional.surrogates``. The gradient
        of ``a`` is ``n - (u / a) * w`` (PIT Eq. 32; QB-LIF with ``w = g``, its paper leaves it out), summed
        over the axes that ``a`` was broadcast along.
    rectify : lambda of "rectified" (PIT Eq. 13); the others do not use it.
    floor : if given, only ``u >= floor`` fires (ReverB Eq. 4); elsewhere ``s`` and all gradients are 0.
    unit : real value of one unit of ``u``, ``a`` and ``floor``, where that is not 1; only the slope of
        "relsg_et" depends on it. Broadcasts against ``u``.
    """
    if isinstance(floor, float) and floor <= 0 and surrogate == "clip":
        floor = None  # below 0 there is no level and no slope anyway
    s: Tensor = _Fire.apply(u, a, levels, rounding, surrogate, rectify, floor, unit)  # type: ignore[no-untyped-call]
    return s


class _Revalue(torch.autograd.Function):
    """``scale * n`` from ``s = a * n``, exactly; the gradients are those of ``s * scale / a``."""

    @staticmethod
    def forward(ctx: Any, s: Tensor, a: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(s if any(ctx.needs_input_grad[1:]) else None, a, scale)
        return (s / a).round_().mul_(scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        s, a, scale = ctx.saved_tensors
        gain = scale / a
        grad_a = grad_scale = None
        if s is not None:
            total = (grad * s).sum_to_size(a.shape)
            grad_a, grad_scale = -total * gain / a, total / a
        return grad * gain, grad_a, grad_scale


def revalue(s: Tensor, a: Tensor, scale: Tensor) -> Tensor:
    """Return ``scale * n`` for values ``s = a * n`` of whole ``n``; ``a`` and ``scale`` share a shape."""
    value: Tensor = _Revalue.apply(s, a, scale)  # type: ignore[no-untyped-call]
    return value


class _Damp(torch.autograd.Function):
    """``u * factor`` where ``key`` says that the neuron fired; saves one bit of that, in a byte."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, key: Tensor, factor: float, floor: float | None) -> Tensor:
        fired = key.sign() if floor is None else (key >= floor).to(key.dtype)
        ctx.save_for_backward(fired.bool())
        ctx.factor = factor
        return u * _kept(fired, factor)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (fired,) = ctx.saved_tensors
        return grad * _kept(fired.to(grad.dtype), ctx.factor), None, None, None


def _kept(fired: Tensor, factor: float) -> Tensor:
    return fired.mul_(factor - 1).add_(1)


def damp(u: Tensor, key: Tensor, factor: float, floor: float | None = None) -> Tensor:
    """Return ``u * factor`` where the neuron fired, else ``u``: the resets "zero" and "scale".

    It fired where ``key > 0`` (emitted values, at least 0), or, with ``floor``, where ``key >= floor``
    (membranes). The gradient of ``u`` is that factor; ``key`` gets none.
    """
    damped: Tensor = _Damp.apply(u, key, factor, floor)  # type: ignore[no-untyped-call]
    return damped
