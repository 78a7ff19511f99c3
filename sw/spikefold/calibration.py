"""What calibration data says: levels of every source, firing rates, how often each level occurs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold.golden import Golden
from spikefold.ir import Network
from spikefold.ir.stages import INPUT
from spikefold_hw.calibration import Levels, affordable_samples
from spikefold_hw.cycles import Cycles

RANDOM_SAMPLES = 16
_DENSITY = 0.25


def calibrate(network: Network, x: NDArray[np.generic] | None) -> Levels:
    """Levels of every source on calibration data, as `Architecture.predict` takes them.

    Parameters
    ----------
    x
        Samples as `Input.encode` takes them, of which the first are used, fewer of a large network.
        None: seeded random levels, a quarter of the input above zero.

    Raises
    ------
    InputError
        If there are samples, but not one.
    """
    if x is not None and not len(x):
        raise InputError("Calibration samples must be at least one, not 0; give none for random levels")
    count = affordable_samples(network)
    if x is None:
        x = _random_levels(network, min(count, RANDOM_SAMPLES))
    levels = network.input.encode(x[:count], network.steps)
    return {INPUT: levels, **Golden(network).run(levels, record=True).levels}


def _random_levels(network: Network, count: int) -> NDArray[np.int64]:
    rng = np.random.default_rng(0)
    shape = (count, *network.input.sample_shape(network.steps))
    return rng.integers(1, network.input.levels + 1, shape) * (rng.random(shape) < _DENSITY)


def summary(cycles: Cycles, levels: Levels) -> dict[str, Any]:
    """Timing, firing rates and how often each level occurs: plain JSON values."""
    samples = len(cycles.results)
    return {
        "samples": len(levels[INPUT]),
        "cycles_interval": round(cycles.interval, 3),
        "cycles_latency": cycles.latency,
        "layers": {
            layer.name: {"cycles": round(layer.busy / samples, 3), "lane_use": round(layer.lane_use, 4)}
            for layer in cycles.layers
        },
        "firing": {source: round(float((n > 0).mean()), 4) for source, n in levels.items()},
        "levels": {source: np.bincount(n.ravel()).tolist() for source, n in levels.items()},
    }
