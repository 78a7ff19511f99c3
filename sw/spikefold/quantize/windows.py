"""What projections see of recorded levels: the windows at some positions of a map."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikefold.fold.folded import FoldedConv, FoldedDense, FoldedIdentity, FoldedProjection
from spikefold.ir.maps import Map

ROWS = 4096
"""About as many windows are looked at, over all samples, steps and positions."""

Levels = NDArray[np.generic]


def choose_positions(shape: Map, samples: int, steps: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of some positions of a population's map, drawn once for all samples and steps."""
    count = min(shape.positions, max(1, ROWS // (samples * steps)))
    chosen = np.sort(np.random.default_rng(0).choice(shape.positions, count, replace=False))
    return chosen // shape.width, chosen % shape.width


def windows(
    projection: FoldedProjection,
    levels: Levels,
    source: Map,
    positions: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> Tensor:
    """Levels under a projection, (presented steps, groups, samples · positions, sources of a target).

    Of an identity every channel is a group of one source.

    Parameters
    ----------
    levels
        (samples, presented steps, ..), of a source with this map.
    """
    maps = levels.reshape(*levels.shape[:2], *source)
    rows, columns = positions
    if isinstance(projection, FoldedDense):
        seen = maps.reshape(*maps.shape[:2], 1, 1, -1)
    elif isinstance(projection, FoldedIdentity):
        seen = maps[..., rows, columns][..., None]
    else:
        assert isinstance(projection, FoldedConv)
        kernel, groups = projection.weight.shape[-2:], projection.groups
        (top, left), (down, right) = projection.padding, projection.stride
        padded = np.pad(maps, ((0, 0), (0, 0), (0, 0), (top, top), (left, left)))
        view = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(3, 4))
        found = view[:, :, :, rows * down, columns * right]
        found = found.reshape(*found.shape[:2], groups, -1, *found.shape[3:])
        seen = found.transpose(0, 1, 2, 4, 3, 5, 6).reshape(*found.shape[:3], len(rows), -1)
    seen = seen.transpose(1, 2, 0, 3, 4).astype(np.float64)
    return torch.from_numpy(seen.reshape(*seen.shape[:2], -1, seen.shape[4]))
