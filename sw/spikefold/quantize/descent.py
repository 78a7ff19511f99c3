"""Round weights so that what a layer computes errs least, rather than the weights themselves.

A channel errs on given samples by `e G e` (mean square) for weights that err by `e`, where `G` holds the mean
products of its sources. Errors may thus cancel between sources that are often active together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spikefold.fold.folded import Reals

PASSES = 4
_BLOCK = 64
DAMPING = 0.01
SCARCITY = 1.0
"""Noise that every source is taken to have, as a share of their mean square: this much, and this much more
for as many sources as there are rows. It keeps `G` regular, and weights as trained where samples are few."""


@dataclass(frozen=True, eq=False)
class Gram:
    """Mean products of a layer's sources on samples, and the weights that would do best without rounding.

    Attributes
    ----------
    products
        `G`, (groups, sources, sources), regular.
    wanted
        (groups, targets of a group, sources).
    """

    products: Reals
    wanted: Reals

    def error(self, weight: Reals) -> Reals:
        """Mean square error of the currents, (.., groups, targets of a group), for weights like `wanted`."""
        off = weight - self.wanted
        return ((off @ self.products) * off).sum(-1)


def gram_of(seen: Tensor, wanted: Tensor, weight: Reals) -> Gram | None:
    """Products of what sources emit, and the least-squares weights from it to the wanted currents.

    Parameters
    ----------
    seen
        (groups, rows, sources).
    wanted
        Currents, (groups, rows, targets of a group).
    weight
        The trained weights, (groups, targets of a group, sources), which decide where samples say nothing.

    Returns
    -------
    Gram | None
        None where no source ever varies.
    """
    _, rows, sources = seen.shape
    products = seen.transpose(1, 2) @ seen / rows
    size = products.diagonal(dim1=1, dim2=2).mean(1)
    if not bool((size > 0).all()):
        return None
    noise = (DAMPING + SCARCITY * sources / rows) * size[:, None, None]
    products = products + noise * torch.eye(sources, dtype=products.dtype)
    right = seen.transpose(1, 2) @ wanted / rows + noise * weight.transpose(1, 2)
    return Gram(products, torch.linalg.solve(products, right).transpose(1, 2))


def descend(gram: Gram, scales: Reals, largest: int, passes: int = PASSES) -> Reals:
    """Whole weights -`largest`..`largest` in units of some scales whose currents err little.

    Starts from the nearest ones. Each source in turn gets the whole weight that is best beside the others,
    `passes` times over; so the error never rises. All scales are tried at once.

    Parameters
    ----------
    scales
        (scales, groups, targets of a group), above 0.

    Returns
    -------
    Reals
        (scales, groups, targets of a group, sources).
    """
    wanted = (gram.wanted / scales[..., None]).transpose(0, 1).flatten(1, 2)
    whole = wanted.round().clamp_(-largest, largest)
    slope = (whole - wanted) @ gram.products
    for _ in range(passes):
        changed = False
        for start in range(0, whole.shape[2], _BLOCK):
            block = slice(start, start + _BLOCK)
            products = gram.products[:, block]
            moves = _descend_block(products[..., block], slope[..., block], whole[..., block], largest)
            if bool(moves.any()):
                changed = True
                whole[..., block] += moves
                slope += moves @ products
        if not changed:
            break
    groups, _, sources = whole.shape
    return whole.reshape(groups, len(scales), -1, sources).transpose(0, 1)


def _descend_block(products: Tensor, slope: Tensor, whole: Tensor, largest: int) -> Tensor:
    """How the whole weights (groups, targets, sources) of some sources move, one after the other."""
    slope, whole = slope.transpose(0, 2).clone(), whole.transpose(0, 2)  # sources first: each lies together
    moves = torch.empty_like(whole)
    for k, column in enumerate(products.transpose(0, 1)):
        best = whole[k] - slope[k] / column[:, k]
        moves[k] = best.round_().clamp_(-largest, largest) - whole[k]
        slope[k:] += moves[k] * column.T[k:, None]
    return moves.transpose(0, 2)


def error_of(grams: Sequence[Gram | None], whole: Sequence[Reals], scales: Reals) -> Reals:
    """Mean square error of the currents of all weight sets, (scales, targets), for `scales` of that shape.

    `whole` are the whole weights by set, as from `descend`.
    """
    errors = torch.zeros_like(scales)
    for gram, weight in zip(grams, whole, strict=True):
        if gram is not None:
            errors += gram.error(weight * scales.reshape(*weight.shape[:3], 1)).flatten(1)
    return errors
