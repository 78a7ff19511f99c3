"""Surrogate gradients: what stands in for the slope of a staircase of levels.

With ``x = u / a`` a ladder of levels is climbed at ``x = k - h``, ``k = 1..D``: ``h = 1/2`` where rounding is
"half_up" or "half_even" and 0 where it is "floor". Every surrogate is a function of the place on the ladder
``z = x + h``, so that level ``k`` is reached at ``z = k`` whatever the rounding:

``rectified``
    ``1 + lambda * (1/2 - |dis|)`` for ``1/2 <= z <= D + 1/2``, else 0, with ``dis = y - floor(y) - 1/2`` and
    ``y = z - 1/2`` (PIT Eq. 13 and 30). The window is ``0 <= x <= D``, for "floor"
    ``1/2 <= x <= D + 1/2``.
``box``
    1 in the window of ``rectified``, else 0: for D = 1 a rectangle, one level wide, round the threshold.
``arctan``
    ``1 / (1 + (pi * (z - 1))^2)``, round the first threshold only; ``z - 1`` is ``x - 1/2``, for
    "floor" ``x - 1``.
``relsg_et``
    1 for ``1 <= z <= D``, ``exp(a * (z - 1))`` below and ``exp(a * (D - z))`` above (QB-LIF Eq. 12). The
    tails are ``exp(u - a)`` and ``exp(D * a - u)`` for "floor"; else the same with ``u + a / 2`` for ``u``.

All are slopes of the emitted value ``a * n`` with respect to ``u``.
"""

import math

import torch
from torch import Tensor

SURROGATES = ("rectified", "box", "arctan", "relsg_et")


def slope(
    u: Tensor, a: Tensor, levels: int, rounding: str, surrogate: str, rectify: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Return ``(g, w)``, shape of ``u``: the slope with respect to ``u``, and that in the gradient of ``a``.

    ``d(a n)/du = g`` and ``d(a n)/da = n - (u / a) * w``. Both are one tensor, except that the ``w`` of
    "rectified" is the bare window (PIT Eq. 32). Besides ``SURROGATES`` there is "clip", the slope of
    ``clip(u, 0, D * a)``: 1 for ``0 <= x <= D`` whatever the rounding (ReverB).
    """
    z = u / a
    if surrogate == "arctan":
        z = z.sub_(1.0 if rounding == "floor" else 0.5).mul_(math.pi)
        g = z.square_().add_(1).reciprocal_()
        return g, g
    if surrogate == "relsg_et":
        if rounding != "floor":
            z.add_(0.5)
        beyond = torch.maximum(1 - z, z.sub_(levels)).clamp_min_(0)
        g = beyond.mul_(a).neg_().exp_()
        return g, g
    if surrogate != "clip" and rounding == "floor":
        z.sub_(0.5)
    inside = z.clamp(0, levels)
    window = z.sub_(inside).abs_().sign_().neg_().add_(1)  # of floats: comparisons to bool are slow on a CPU
    if surrogate != "rectified" or rectify == 0:
        return window, window
    distance = inside.frac_().sub_(0.5).abs_()
    return distance.mul_(-rectify).add_(1 + rectify / 2).mul_(window), window
