"""Average pools of spikes: a unit of their own, or composed into every layer that reads them."""

import math
from collections.abc import Sequence
from typing import Literal, cast

import torch

from spikefold.fold.parameters import SynapseLayer, geometry
from spikefold.fold.spikes import LayerPool, Spikes, slide
from spikefold.ir.maps import Map, Pair, Window
from spikefold.ir.network import MAX_LEVELS
from spikefold.nn import Conv2d, Node
from spikefold.nn.binary import BinarySynapses

Pooling = Literal["auto", "unit", "compose"]
WEIGHT_BITS = 4


def is_composed(
    spikes: Spikes,
    pool: LayerPool,
    readers: Sequence[Node],
    levels: Sequence[int],
    steps: int,
    pooling: Pooling,
) -> bool:
    """Whether an average pool goes into the layers that read it rather than into a unit that sums levels.

    Only dense layers and convolutions can take it, and a convolution with padding only where its zeros
    stay outside the map. "compose" then does, "unit" does not. "auto" composes

    * where the sums would pass 255 levels; else
    * not where a weight would become the sum of several, since such weights round differently; else
    * where it takes fewer memory bits: the levels that the windows of the readers hold, and of the unit
      if there is one, `(rows - 1) · width + columns` positions each, and the readers' weights of 4 bits, or
      of one bit in binary layers.

    Parameters
    ----------
    spikes
        What is pooled.
    pool
        The pool.
    readers
        The layers that read the result.
    levels
        Largest level of each member.
    steps
        Time steps whose levels a window holds at each position.
    """
    found = [_window(node, Map(*pool.map)) for node in readers]
    windows = [window for window in found if window is not None]
    if pooling == "unit" or None in found or not all(_exact(pool.window, window) for window in windows):
        return False
    if pooling == "compose" or max(levels) * pool.positions > MAX_LEVELS:
        return True
    if any(overlaps(pool.window, window.kernel) for window in windows):
        return False
    larger = [composed(pool.window, window) for window in windows]
    sums = [n * pool.positions for n in levels]
    unit = _level_bits([pool.window], levels, steps) + _level_bits(windows, sums, steps)
    unit += _weight_bits(spikes, readers, windows)
    return _level_bits(larger, levels, steps) + _weight_bits(spikes, readers, larger) < unit


def composed(pool: Window, window: Window) -> Window:
    """The window over what is pooled that does as one over the pooled map."""
    rows, columns = ((k - 1) * s + p for k, s, p in zip(window.kernel, pool.stride, pool.kernel, strict=True))
    return Window(pool.map, (rows, columns), *composed_steps(pool, window.stride, window.padding))


def composed_steps(pool: Window, stride: Pair, padding: Pair) -> tuple[Pair, Pair]:
    """Stride and padding of a window over the pooled map, in positions of what is pooled."""
    (down, right), (top, left) = pool.stride, pool.padding
    return (stride[0] * down, stride[1] * right), (padding[0] * down + top, padding[1] * right + left)


def overlaps(pool: Window, kernel: Pair) -> bool:
    """Whether windows of the pool that lie under one kernel have positions in common."""
    sizes = zip(pool.kernel, pool.stride, kernel, strict=True)
    return any(pooled > step and rows > 1 for pooled, step, rows in sizes)


def _window(node: Node, pooled: Map) -> Window | None:
    """A reader's window over the pooled map, if it is a dense layer or convolution."""
    layer = node.module
    if isinstance(layer, Conv2d):
        return slide(f"Convolution {node.name!r}", pooled, *geometry(layer))
    if isinstance(layer, torch.nn.Linear):
        return Window(pooled, (pooled.height, pooled.width))
    return None


def _exact(pool: Window, window: Window) -> bool:
    """Whether the zeros around the pooled map are averages of zeros around the map.

    A dense layer, whose window is the whole pooled map, has none.
    """
    sizes = zip((pool.map.height, pool.map.width), pool.stride, pool.padding, strict=True)
    pooled = zip((window.map.height, window.map.width), window.padding, strict=True)
    # The first zero behind the map begins outside it; then the last one before it ends outside it too.
    return all(
        zeros == 0 or count * stride - padding >= size
        for (size, stride, padding), (count, zeros) in zip(sizes, pooled, strict=True)
    )


def _level_bits(windows: Sequence[Window], levels: Sequence[int], steps: int) -> int:
    """Bits of the levels that windows hold while they slide."""
    positions = sum((w.kernel[0] - 1) * w.map.width + w.kernel[1] for w in windows)
    return positions * windows[0].map.channels * steps * sum(n.bit_length() for n in levels)


def _weight_bits(spikes: Spikes, readers: Sequence[Node], windows: Sequence[Window]) -> int:
    """Bits of the readers' weights with these windows."""
    sets = sum(len(member.scale) for member in spikes.members)
    pairs = zip(readers, windows, strict=True)
    return sets * sum(_bits_of_reader(node, window) for node, window in pairs)


def _bits_of_reader(node: Node, window: Window) -> int:
    layer = cast(SynapseLayer, node.module)
    groups = layer.groups if isinstance(layer, Conv2d) else 1
    weights = len(layer.weight) * (window.map.channels // groups) * math.prod(window.kernel)
    return weights if isinstance(layer, BinarySynapses) else WEIGHT_BITS * weights
