"""Pools and sums of the golden model, on maps of levels (T or 1, samples, channels, rows, columns)."""

from torch import Tensor
from torch.nn import functional

from spikefold.ir import Pool


def pooled(pool: Pool, levels: Tensor) -> Tensor:
    """The sum or the largest level of every window.

    Silence around the map never changes either: levels are at least 0, and no window lies outside.
    torch pads pools by half a window at most, so the padding comes first.
    """
    maps = levels.flatten(0, 1)
    if any(pool.padding):
        rows, columns = pool.padding
        maps = functional.pad(maps, (columns, columns, rows, rows))
    if pool.pooling == "max":
        maps = functional.max_pool2d(maps, pool.kernel, pool.stride)
    else:
        maps = functional.avg_pool2d(maps, pool.kernel, pool.stride, divisor_override=1)
    return maps.view(*levels.shape[:2], *maps.shape[1:])
