"""What calibration data says of a design, for the build's report."""

from typing import Any

import numpy as np

from spikefold.balance.calibrate import Levels
from spikefold.ir.network import INPUT
from spikefold_hw.cycles import Cycles


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
