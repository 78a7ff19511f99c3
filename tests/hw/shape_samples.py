"""Shapes of windows, projections and sums by themselves, without a network."""

import numpy as np

from spikefold.ir.maps import Map, Window
from spikefold_hw.order import Time
from spikefold_hw.parts.shapes import Blocks
from spikefold_hw.streaming.buffer import BufferShape
from spikefold_hw.streaming.join.shape import JoinShape
from spikefold_hw.streaming.window.core import ProjectionCore
from spikefold_hw.streaming.window.shape import ProjectionShape, WindowShape

ONE_STEP = Time(1, "position_major")


def window_shape(map_, kernel=(1, 1), stride=(1, 1), padding=(0, 0), groups=1, levels=5, steps=1, depth=0):
    """A window over a source; without a depth it has no line buffer."""
    return WindowShape("input", map_, kernel, stride, padding, groups, levels, steps, depth)


def buffered_window(
    map_, kernel, stride=(1, 1), padding=(0, 0), groups=1, levels=4, steps=1, slack=1
) -> WindowShape:
    """A window with a line buffer that keeps as little as it can, and `slack` positions more."""
    depth = least_depth(Window(map_, kernel, stride, padding)) + slack
    return window_shape(map_, kernel, stride, padding, groups, levels, steps, depth)


def least_depth(window):
    """Positions that must be kept for a chain of this window alone."""
    released = np.concatenate([[0], window.released[:-1]])
    return int((np.maximum.accumulate(window.needed) + 1 - released).max())


def projection_shape(inputs=6, levels=5, coding="binary", weight_sets=1):
    """A dense projection from one position."""
    return ProjectionShape(window_shape(Map(inputs), levels=levels), coding, 4, weight_sets)


def projection_core(projection, blocks=1, time=ONE_STEP):
    """The core of a projection into a layer with one channel a block, `blocks` in each of its groups."""
    window = projection.window
    channels = blocks * window.groups
    map_ = Map(channels, window.geometry.height, window.geometry.width)
    return ProjectionCore(projection, map_, time, Blocks(channels, window.groups, 1, 1))


def join_shape(map_, levels=(4, 3), depths=(2, 2), time=ONE_STEP):
    """A sum of two sources with these largest levels and depths."""
    buffers = [BufferShape(f"source{k}", *both) for k, both in enumerate(zip(levels, depths, strict=True))]
    return JoinShape("add", map_, time, tuple(buffers), sum(levels))
