"""The straight-through estimator."""

from typing import Any

import torch
from torch import Tensor


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, rounded: Tensor) -> Tensor:
        ctx.shape = value.shape
        return rounded.view_as(rounded)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad.sum_to_size(ctx.shape), None


def straight_through(value: Tensor, rounded: Tensor) -> Tensor:
    """Return `rounded`, whose gradient goes to `value`, which broadcasts against it, as if that were it."""
    return _StraightThrough.apply(value, rounded)
