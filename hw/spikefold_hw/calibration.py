"""Levels that choices are measured on, and how many samples the cycle model can afford."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spikefold.ir import Network

Levels = Mapping[str, NDArray[np.integer]]
"""Levels (samples, steps, *shape) of the input and of every stage but the readout, by source name."""

MOST_SAMPLES = 64
# The cycle model takes some 30 us for a cell of a stage, so this many keep it below some seconds.
_MOST_CELLS = 50_000


def affordable_samples(network: Network, most: int = MOST_SAMPLES, cells: int = _MOST_CELLS) -> int:
    """How many samples to calibrate on, 2..`most`: as many as have at most `cells` cells in all stages."""
    each = network.steps * sum(shape.positions for shape in network.maps.values())
    return min(most, max(2, cells // each))


def first_samples(levels: Levels, count: int) -> Levels:
    """The first `count` samples."""
    return {source: values[:count] for source, values in levels.items()}
