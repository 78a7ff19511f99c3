"""Integers in floating point: which type holds them exactly, and the settings that keep it so.

Sums, products and powers of two of integers are exact as long as every value and partial sum stays
below `2^24` in float32 and `2^53` in float64, whatever the order of the additions. The one division is
exact too: for integers `|a| < 2^24`, `b > 0`, a quotient that is not whole lies at least `1/b` below the
next whole number, and rounding moves it by at most `2^-24 · |a|/b < 1/b`, so
`floor(fl(a / b)) = floor(a / b)`. The same holds for float64 with 53 in place of 24.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

FLOAT32_LIMIT = 1 << 24
FLOAT64_LIMIT = 1 << 53


def exact_dtype(magnitude: int) -> torch.dtype:
    """Return the fastest type in which integers up to `magnitude` are exact."""
    if magnitude < FLOAT32_LIMIT:
        return torch.float32
    return torch.float64 if magnitude < FLOAT64_LIMIT else torch.int64


def floor_divide(a: Tensor, b: Tensor) -> Tensor:
    """`floor(a / b)` of whole numbers, `b > 0`, in their own type."""
    if a.is_floating_point():
        return (a / b).floor_()
    return torch.div(a, b, rounding_mode="floor")


def shift_right(a: Tensor, places: int) -> Tensor:
    """`floor(a / 2^places)` of whole numbers, in their own type."""
    if a.is_floating_point():
        return (a * 2.0**-places).floor_()
    return a >> places


@contextmanager
def full_precision() -> Iterator[None]:
    """Keep float32 products in float32: no TF32, no bfloat16, no autocast, no autograd; then restore.

    The golden model computes on the CPU, where only oneDNN has modes of reduced precision.
    """
    with torch.inference_mode(), torch.autocast("cpu", enabled=False), _float32_products():
        yield


@contextmanager
def _float32_products() -> Iterator[None]:
    before = _get_precision()
    _set_precision("ieee" if _PER_BACKEND else "highest")
    try:
        yield
    finally:
        _set_precision(before)


# From 2.9 on torch has one setting per backend, and asking for the old, global one can raise.
_PER_BACKEND = hasattr(torch.backends.mkldnn, "matmul")


def _get_precision() -> str:
    if _PER_BACKEND:
        return torch.backends.mkldnn.matmul.fp32_precision  # type: ignore[attr-defined]
    return torch.get_float32_matmul_precision()


def _set_precision(value: str) -> None:
    if _PER_BACKEND:
        torch.backends.mkldnn.matmul.fp32_precision = value  # type: ignore[attr-defined]
    else:
        torch.set_float32_matmul_precision(value)
