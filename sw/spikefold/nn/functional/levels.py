"""Rounding: levels of membranes and of input values."""

import torch
from torch import Tensor

NEAREST = ("half_up", "half_even")
ROUNDINGS = (*NEAREST, "floor")


def round_half_up(x: Tensor) -> Tensor:
    """Return ``floor(x + 1/2)`` without the rounding error of that sum just below a tie."""
    whole = torch.floor(x)
    return whole + (x - whole >= 0.5).to(x.dtype)


def fire_levels(u: Tensor, a: Tensor, levels: int, rounding: str = "half_up") -> Tensor:
    """Return the levels ``n = clip(round(u / a), 0, D)`` as whole numbers in the dtype of ``u / a``.

    ``rounding`` is "half_up" (PIT Eq. 10, I-LIF), "half_even" (as torch and the authors of both round) or
    "floor" (LIF, QB-LIF Eq. 9: ``u >= a`` fires). ``a`` must be positive and broadcast against ``u``. Exact
    for the given quotient, ties and their neighbours included.
    """
    x = u / a
    if rounding == "half_even":
        return x.clamp_(0, levels).round_()
    if rounding == "half_up":
        # The largest number below 1/2: a tie then rounds up in the sum itself, and nothing below it does.
        x.add_(0.5 - torch.finfo(x.dtype).eps / 4)
    return x.clamp_(0, levels).floor_()


def encode_levels(x: Tensor, levels: int, minimum: float, maximum: float) -> Tensor:
    """Return the input levels ``min(D_in, max(0, floor((x - min) * D_in / (max - min) + 1/2)))`` as int64.

    Values outside ``minimum..maximum`` saturate. Computed in float64 whatever the dtype of ``x``, so that
    every part of the tool chain gets the same level.
    """
    scaled = (x.to(torch.float64) - minimum) * levels / (maximum - minimum) + 0.5
    return torch.floor(scaled).clamp(0, levels).to(torch.int64)
