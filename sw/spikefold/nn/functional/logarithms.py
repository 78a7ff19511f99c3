"""Positive parameters are trained as logarithms; powers of two come back as what they are."""

import math

import torch
from torch import Tensor

_LN2 = math.log(2)
_ULP = torch.finfo(torch.float32).eps


def from_log(log: Tensor) -> Tensor:
    """``exp(log)``, and exactly 2^k where ``log`` is that of 2^k to within a unit in float32's last place.

    ``exp(log 8)`` is not 8 in float32, and in float64 not even near it if the logarithm was stored in
    float32, as in every model file. A scale that is a power of two costs no bits and must not become another.
    The gradient is that of ``exp``.
    """
    value = log.exp()
    with torch.no_grad():
        power = torch.round(log / _LN2)
        exact = ((log - power * _LN2).abs() <= _ULP * log.abs()) & torch.isfinite(value)
        excess = torch.where(exact, torch.exp2(power) - value, 0.0)
    return value + excess
