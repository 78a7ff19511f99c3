"""The formulas of folding, as pure functions of float64 arrays."""

import numpy as np

from spikefold.fold.folded import Reals
from spikefold.ir.maps import Pair, Window


def fold_scale(weight: Reals, scale: Reals, groups: int = 1) -> Reals:
    """Fold a source's scale into the weights that read it: `W~_t = W diag(a_t)` (PIT Eq. 20-23).

    Parameters
    ----------
    weight
        `W`, (targets, sources / groups, ...): dense, or with the rows and columns of a kernel.
    scale
        `a`, (T or 1, sources).
    groups
        Groups of a convolution.

    Returns
    -------
    Reals
        `W~`, (T or 1, targets, sources / groups, ...).
    """
    targets, sources = weight.shape[:2]
    by_target = scale.reshape(len(scale), groups, sources).repeat(targets // groups, axis=1)
    return weight[None] * by_target.reshape(len(scale), targets, sources, *(1,) * (weight.ndim - 2))


def fold_shift(weight: Reals, shift: Reals, groups: int = 1) -> Reals:
    """What a constant `c` at every source adds to the currents, `W c`, (targets,).

    `weight` is (targets, sources / groups, ...) as in `fold_scale`, `shift` (sources,). Exact for a
    convolution only where no window reaches into silent padding.
    """
    per_source = weight.sum(axis=tuple(range(2, weight.ndim)))
    parts = zip(np.split(per_source, groups), np.split(shift, groups), strict=True)
    return np.concatenate([w @ c for w, c in parts])


def merge_steps(values: Reals) -> Reals:
    """Keep one row of (T, ...) where all time steps are equal."""
    return values[:1] if (values == values[:1]).all() else values


def batch_norm_gain(weight: Reals, variance: Reals, epsilon: float) -> Reals:
    """`γ / sqrt(σ² + ε)`, the gain of a batch norm in eval mode."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return weight / np.sqrt(variance + epsilon)


def box(kernel: Pair) -> Reals:
    """The kernel of an average: `1 / positions` everywhere."""
    return np.full(kernel, 1 / (kernel[0] * kernel[1]))


def compose_kernels(first: Reals, stride: Pair, second: Reals) -> Reals:
    """Kernel of two correlations in a row, `second` upon what `first` gives with `stride`.

    Kernels are the last two axes, the others broadcast; it has `(second - 1) · stride + first` rows and
    columns, and is to be moved by the product of the strides.
    """
    (rows, columns), (outer_rows, outer_columns) = first.shape[-2:], second.shape[-2:]
    lead = np.broadcast_shapes(first.shape[:-2], second.shape[:-2])
    result = np.zeros((*lead, (outer_rows - 1) * stride[0] + rows, (outer_columns - 1) * stride[1] + columns))
    for y in range(outer_rows):
        for x in range(outer_columns):
            top, left = y * stride[0], x * stride[1]
            part = first * second[..., y : y + 1, x : x + 1]
            result[..., top : top + rows, left : left + columns] += part
    return result


def spread(weight: Reals, pool: Window) -> Reals:
    """Dense weights (..., rows, columns) upon an average pool, as weights upon the map that it pools."""
    composed = compose_kernels(box(pool.kernel), pool.stride, weight)
    size = pool.map.height, pool.map.width
    padded = [n + 2 * p for n, p in zip(size, pool.padding, strict=True)]
    result = np.zeros((*composed.shape[:-2], *padded))
    result[..., : composed.shape[-2], : composed.shape[-1]] = composed
    (top, left), (height, width) = pool.padding, size
    return result[..., top : top + height, left : left + width]
