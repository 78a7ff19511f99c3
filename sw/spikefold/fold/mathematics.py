"""The formulas of folding, as pure functions of float64 arrays."""

import numpy as np

from spikefold.fold.folded import Reals


def fold_source(weight: Reals, bias: Reals, scale: Reals, shift: Reals) -> tuple[Reals, Reals]:
    """Fold a source that emits `scale · n + shift` into the layer that reads it.

    `W (a_t ⊙ n + c) + b = (W diag(a_t)) n + (W c + b)`: PIT Eq. 20-23, and the input's normalisation.

    Parameters
    ----------
    weight, bias
        `W` (targets, sources) and `b` (targets,).
    scale, shift
        `a` (T or 1, sources) and `c` (sources,).

    Returns
    -------
    tuple
        `W~` of shape (T or 1, targets, sources), and the bias (targets,).
    """
    return weight[None] * scale[:, None, :], bias + weight @ shift


def fold_batch_norm(
    weight: Reals, bias: Reals, gain: Reals, mean: Reals, offset: Reals
) -> tuple[Reals, Reals]:
    """Fold `gain · (x - mean) + offset`, per target, into the layer before it.

    A negative gain flips the signs of its target's weights.
    """
    return weight * gain[:, None], (bias - mean) * gain + offset


def merge_steps(values: Reals) -> Reals:
    """Keep one row of (T, channels) where all time steps are equal."""
    return values[:1] if (values == values[:1]).all() else values


def batch_norm_gain(weight: Reals, variance: Reals, epsilon: float) -> Reals:
    """`γ / sqrt(σ² + ε)`, the gain of a batch norm in eval mode."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return weight / np.sqrt(variance + epsilon)
