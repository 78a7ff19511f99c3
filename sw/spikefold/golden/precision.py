"""Integers in floating point: which type holds them exactly, and the settings that keep it so.

Sums, products and powers of two of integers are exact as long as every value and partial sum stays
below `2^24` in float32 and `2^53` in float64, whatever the order of the additions. The one division is
exact too: for integers `|a| < 2^24`, `b > 0`, a quotient that is not whole lies at least `1/b` below the
next whole number, and rounding moves it by at most `2^-24 · |a|/b < 1/b`, so
`floor(fl(a / b)) = floor(a / b)`. The same holds for float64 with 53 in place of 24.

A convolution is such a sum only if it is computed as one. Winograd's algorithm is not: it forms
fractions and sums beyond those of the result. On a CPU torch has three ways to compute one in float32:

* oneDNN, which torch always asks for its direct algorithm: sums of products, in some order;
* NNPACK, used where oneDNN is absent or off, which may choose Winograd or a Fourier transform:
  `full_precision` turns it off, and what is left is a matrix product;
* a Winograd kernel of torch's own for depthwise 3x3 windows, on ARM and RISC-V. It wants contiguous
  weights; `unlike_winograd` gives it others.

Convolutions in float64 are matrix products everywhere.
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


def floor_divide(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """`floor(a / b)` of whole numbers, `b > 0`, in their own type."""
    if a.is_floating_point():
        return torch.div(a, b, out=out).floor_()
    return torch.div(a, b, rounding_mode="floor", out=out)


def shift_right(a: Tensor, places: int) -> Tensor:
    """`floor(a / 2^places)` of whole numbers, in their own type, in place."""
    if a.is_floating_point():
        return a.mul_(2.0**-places).floor_()
    return a.bitwise_right_shift_(places)


def unlike_winograd(weight: Tensor) -> Tensor:
    """The same weights (..., rows, columns), not contiguous where there is one source channel per group.

    These are small, so that a copy of them at every call costs nothing.
    """
    if weight.shape[-3] > 1:
        return weight
    return torch.nn.functional.pad(weight, (0, 1))[..., :-1]


@contextmanager
def full_precision() -> Iterator[None]:
    """Keep float32 sums what they say: no TF32, bfloat16, NNPACK, autocast, autograd; then restore.

    The golden model computes on the CPU, where only oneDNN has modes of reduced precision.
    """
    with (
        torch.inference_mode(),
        torch.autocast("cpu", enabled=False),
        torch.backends.nnpack.flags(enabled=False),
        _float32_products(),
    ):
        yield


@contextmanager
def _float32_products() -> Iterator[None]:
    before = _get_precision()
    _set_precision(("ieee",) * len(before) if _PER_BACKEND else ("highest",))
    try:
        yield
    finally:
        _set_precision(before)


# From 2.9 on torch has settings per backend, and asking for the old, global one can raise.
_PER_BACKEND = hasattr(torch.backends.mkldnn, "matmul")


def _get_precision() -> tuple[str, ...]:
    if _PER_BACKEND:
        backend = torch.backends.mkldnn
        return backend.matmul.fp32_precision, backend.conv.fp32_precision  # type: ignore[attr-defined]  # no stubs
    return (torch.get_float32_matmul_precision(),)


def _set_precision(values: tuple[str, ...]) -> None:
    if _PER_BACKEND:
        backend = torch.backends.mkldnn
        backend.matmul.fp32_precision, backend.conv.fp32_precision = values  # type: ignore[attr-defined]  # no stubs
    else:
        torch.set_float32_matmul_precision(*values)
