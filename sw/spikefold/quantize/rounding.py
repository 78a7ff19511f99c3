"""Rounding to whole numbers, held in float64; gradients pass straight through where training asks for it."""

from typing import Any

import torch
from torch import Tensor

from spikefold.fold.folded import Reals


def largest_weight(bits: int) -> int:
    """Largest integer of the symmetric quantizer."""
    return 1 if bits == 1 else (1 << (bits - 1)) - 1


def round_weight(weight: Reals, bits: int, scale: Reals) -> Reals:
    """Round `W~` (sets, targets, ...) to the nearest unit of `scale` (targets,), clipped symmetrically.

    One bit keeps the sign; zeros, which one bit cannot hold, take turns so that they cancel on average.
    """
    if bits == 1:
        return torch.where(weight == 0, _turns(weight), weight.sign())
    largest = largest_weight(bits)
    per_target = scale.reshape(-1, *(1,) * (weight.dim() - 2))
    return (weight / per_target).round_().clamp_(-largest, largest)


def round_threshold(threshold: Reals, unit: Reals, straight_through: bool = False) -> Reals:
    """Thresholds (..., channels) as whole units (channels,), at least 1.

    With `straight_through` the gradient of `threshold` is that of `threshold / unit`, without rounding.
    """
    exact = threshold / unit
    whole = torch.round(exact.detach()).clamp_(min=1)
    return pass_through(exact, whole) if straight_through else whole


def pass_through(value: Tensor, rounded: Tensor) -> Tensor:
    """Return `rounded`, whose gradient goes to `value`, which broadcasts against it, as if that were it."""
    passed: Tensor = _PassThrough.apply(value, rounded)  # type: ignore[no-untyped-call]
    return passed


class _PassThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, rounded: Tensor) -> Tensor:
        ctx.shape = value.shape
        return rounded.view_as(rounded)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad.sum_to_size(ctx.shape), None


def _turns(weight: Reals) -> Reals:
    """+1 and -1 by turns along every axis."""
    axes = [torch.arange(size, device=weight.device) for size in weight.shape]
    places = sum(torch.meshgrid(*axes, indexing="ij"), torch.zeros_like(weight, dtype=torch.int64))
    return 1.0 - 2.0 * (places & 1).to(weight)
