"""Feature maps and the windows that slide over them, in raster order."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from spikefold.errors import ModelError
from spikefold.ir.neuron import Integers, as_integer

Pair = tuple[int, int]
MAX_KERNEL = 1024


class Map(NamedTuple):
    """Shape of what a source emits per time step; a dense population has one position."""

    channels: int
    height: int = 1
    width: int = 1

    @property
    def positions(self) -> int:
        """Places (y, x), visited row by row."""
        return self.height * self.width

    @property
    def size(self) -> int:
        """Neurons."""
        return self.channels * self.positions


def as_pair(subject: str, value: object, low: int, high: int = MAX_KERNEL) -> Pair:
    """Return `value` as (rows, columns), two integers of `low..high`.

    Raises
    ------
    ModelError
        If it is anything else.
    """
    pair = tuple(value) if isinstance(value, tuple | list) else ()
    if len(pair) != 2:
        raise ModelError(f"{subject} must be a pair (rows, columns), not {value!r}")
    rows, columns = (as_integer(subject, number, low, high) for number in pair)
    return rows, columns


@dataclass(frozen=True)
class Window:
    """A kernel that slides over a map; `padding` positions around the map are silent.

    Its outputs are in raster order too. Positions of the map are counted in raster order from 0.

    Parameters
    ----------
    map
        The map it slides over.
    kernel, stride, padding
        (rows, columns).

    Raises
    ------
    ModelError
        If the kernel does not fit the padded map, or the padding leaves windows without any position.
    """

    map: Map
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)

    def __post_init__(self) -> None:
        sizes = (self.map.height, self.map.width)
        for kernel, padding, size in zip(self.kernel, self.padding, sizes, strict=True):
            if kernel > size + 2 * padding:
                raise ModelError(
                    f"Kernel {self.kernel} must fit the map of {sizes[0]}x{sizes[1]} positions with padding "
                    f"{self.padding}, but is larger"
                )
            if padding >= kernel:
                raise ModelError(f"Padding must be below the kernel {self.kernel}, not {self.padding}")

    @property
    def height(self) -> int:
        """Rows of outputs."""
        return (self.map.height + 2 * self.padding[0] - self.kernel[0]) // self.stride[0] + 1

    @property
    def width(self) -> int:
        """Columns of outputs."""
        return (self.map.width + 2 * self.padding[1] - self.kernel[1]) // self.stride[1] + 1

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return self.height * self.width

    @property
    def whole(self) -> bool:
        """Whether one output sees the whole map, every position at its own place."""
        return self.kernel == (self.map.height, self.map.width) and self.padding == (0, 0)

    def rows(self) -> tuple[Integers, Integers]:
        """First row of the map under each row of outputs, and the row after the last one."""
        return self._span(0)

    def columns(self) -> tuple[Integers, Integers]:
        """First column of the map under each column of outputs, and the column after the last one."""
        return self._span(1)

    def _span(self, axis: int) -> tuple[Integers, Integers]:
        count, size = (self.height, self.width)[axis], (self.map.height, self.map.width)[axis]
        start = np.arange(count) * self.stride[axis] - self.padding[axis]
        return np.clip(start, 0, size), np.clip(start + self.kernel[axis], 0, size)

    @cached_property
    def needed(self) -> Integers:
        """The last position each output reads, shape (outputs,).

        At the bottom of a padded map it falls back from one row of outputs to the next.
        """
        bottom, right = self.rows()[1] - 1, self.columns()[1] - 1
        return (bottom[:, None] * self.map.width + right[None, :]).ravel()

    @cached_property
    def released(self) -> Integers:
        """Positions that no later output reads, once each output is done, shape (outputs,).

        The last output releases the whole map.
        """
        top, left = self.rows()[0], self.columns()[0]
        later = np.append(top[1:], self.map.height)
        first = top[:, None] * self.map.width + left[None, :]
        first = np.minimum(first, later[:, None] * self.map.width).ravel()
        return np.append(first[1:], self.map.positions)
