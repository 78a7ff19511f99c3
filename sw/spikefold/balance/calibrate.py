"""What calibration data says: levels of every source, and from them the digit codings."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold.golden import Golden
from spikefold.ir import Network
from spikefold.ir.coding import CODINGS, Coding, digit_count
from spikefold.ir.network import INPUT

AUTO = "auto"
MOST_SAMPLES = 64
RANDOM_SAMPLES = 16
# The cycle model takes some 30 us for a cell of a stage, so this many keep it below some seconds.
_MOST_CELLS = 50_000
_DENSITY = 0.25

Levels = Mapping[str, NDArray[np.integer]]


def calibration_samples(network: Network, most: int = MOST_SAMPLES, cells: int = _MOST_CELLS) -> int:
    """How many samples to calibrate on, 2..`most`: as many as have at most `cells` cells in all stages."""
    each = network.steps * sum(shape.positions for shape in network.maps.values())
    return min(most, max(2, cells // each))


def calibrate(network: Network, x: NDArray[np.generic] | None) -> Levels:
    """Levels of every source on calibration data, as `spikefold_hw.cycles.predict` takes them.

    Parameters
    ----------
    x
        Samples as `Input.encode` takes them, of which the first are used, fewer of a large network.
        Without any: seeded random levels, a quarter of the input above zero.
    """
    count = calibration_samples(network)
    if x is None or not len(x):
        x = _random_levels(network, min(count, RANDOM_SAMPLES))
    levels = network.input.encode(x[:count], network.steps)
    return {INPUT: levels, **Golden(network).run(levels, record=True).levels}


def _random_levels(network: Network, count: int) -> NDArray[np.int64]:
    rng = np.random.default_rng(0)
    shape = (count, *network.input.sample_shape(network.steps))
    return rng.integers(1, network.input.levels + 1, shape) * (rng.random(shape) < _DENSITY)


def first_samples(levels: Levels, count: int) -> Levels:
    """The first `count` samples."""
    return {source: values[:count] for source, values in levels.items()}


def choose_coding(network: Network, levels: Levels, wanted: str) -> dict[str, Coding]:
    """Coding per source: the wanted one, or with "auto" the one with the fewest digits.

    Raises
    ------
    InputError
        If `wanted` is unknown.
    """
    if wanted != AUTO:
        if wanted not in CODINGS:
            raise InputError(
                f"Coding must be auto, {', '.join(CODINGS[:-1])} or {CODINGS[-1]}, not {wanted!r}"
            )
        return dict.fromkeys(levels, wanted)
    return {source: _fewest_digits(np.bincount(values.ravel())) for source, values in levels.items()}


def _fewest_digits(counts: NDArray[np.integer]) -> Coding:
    """Coding with the fewest digits where level n occurs `counts[n]` times; binary wins a tie."""
    codings: tuple[Coding, ...] = ("binary", "naf")
    return min(codings, key=lambda coding: int(counts @ digit_count(np.arange(len(counts)), coding)))
