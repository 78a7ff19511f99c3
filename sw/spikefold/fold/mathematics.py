"""The formulas of folding, as pure functions of float64 tensors."""

import torch

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
    by_target = scale_by_target(scale, len(weight), groups)
    return weight * by_target.reshape(*by_target.shape, *(1,) * (weight.dim() - 2))


def scale_by_target(scale: Reals, targets: int, groups: int = 1) -> Reals:
    """Scales of sources, (T or 1, sources), as each target meets them: (T or 1, targets, sources / groups).

    Without groups all targets meet the same ones: (T or 1, 1, sources).
    """
    grouped = scale.reshape(len(scale), groups, -1)
    return grouped if groups == 1 else grouped.repeat_interleave(targets // groups, 1)


def fold_shift(weight: Reals, shift: Reals, groups: int = 1) -> Reals:
    """What a constant `c` at every source adds to the currents, `W c`, (targets,).

    `weight` is (targets, sources / groups, ...) as in `fold_scale`, `shift` (sources,). Exact for a
    convolution only where no window reaches into silent padding.
    """
    per_source = weight.flatten(2).sum(2) if weight.dim() > 2 else weight
    by_group = torch.bmm(per_source.reshape(groups, -1, per_source.shape[1]), shift.reshape(groups, -1, 1))
    return by_group.flatten()


def merge_steps(values: Reals) -> Reals:
    """Keep one row of (T, ...) where all time steps are equal."""
    return values[:1] if bool((values == values[:1]).all()) else values


def batch_norm_gain(weight: Reals, variance: Reals, epsilon: float) -> Reals:
    """`γ / sqrt(σ² + ε)`, the gain of a batch norm in eval mode."""
    return weight / torch.sqrt(variance + epsilon)


def box(kernel: Pair, like: Reals) -> Reals:
    """The kernel of an average, `1 / positions` everywhere, on the device of `like`."""
    return like.new_full(kernel, 1 / (kernel[0] * kernel[1]))


def compose_kernels(first: Reals, stride: Pair, second: Reals) -> Reals:
    """Kernel of two correlations in a row, `second` upon what `first` gives with `stride`.

    Kernels are the last two axes, the others broadcast; it has `(second - 1) · stride + first` rows and
    columns, and is to be moved by the product of the strides.
    """
    (rows, columns), (outer_rows, outer_columns) = first.shape[-2:], second.shape[-2:]
    lead = (first[..., 0, 0] * second[..., 0, 0]).shape
    size = ((outer_rows - 1) * stride[0] + rows, (outer_columns - 1) * stride[1] + columns)
    result = first.new_zeros(*lead, *size)
    for y in range(outer_rows):
        for x in range(outer_columns):
            top, left = y * stride[0], x * stride[1]
            part = first * second[..., y : y + 1, x : x + 1]
            result[..., top : top + rows, left : left + columns] += part
    return result


def spread(weight: Reals, pool: Window) -> Reals:
    """Dense weights (..., rows, columns) upon an average pool, as weights upon the map that it pools."""
    composed = compose_kernels(box(pool.kernel, weight), pool.stride, weight)
    size = pool.map.height, pool.map.width
    padded = [n + 2 * p for n, p in zip(size, pool.padding, strict=True)]
    result = composed.new_zeros(*composed.shape[:-2], *padded)
    result[..., : composed.shape[-2], : composed.shape[-1]] = composed
    (top, left), (height, width) = pool.padding, size
    return result[..., top : top + height, left : left + width]
