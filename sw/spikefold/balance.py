"""Choosing lanes and digit codings with the exact cycle model."""

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold.golden import Golden
from spikefold.ir import Network, Profile, profile_of
from spikefold.ir.coding import Coding, digit_count
from spikefold.ir.network import INPUT
from spikefold_hw.cycles import Cycles, predict

AUTO = "auto"
MOST_LANES = 32
CALIBRATION_SAMPLES = 64
_SLOWER, _LATER = 1.02, 1.10
_DENSITY = 0.25

Levels = Mapping[str, NDArray[np.integer]]


def calibrate(network: Network, x: NDArray[np.generic] | None) -> Levels:
    """Levels of every source on calibration data, as `spikefold_hw.cycles.predict` takes them.

    Without data: seeded random levels, a quarter of the input above zero.
    """
    if x is not None and len(x):
        levels = network.input.encode(x[:CALIBRATION_SAMPLES], network.steps)
    else:
        rng = np.random.default_rng(0)
        shape = (16, 1 if network.input.static else network.steps, network.input.size)
        levels = rng.integers(1, network.input.levels + 1, shape) * (rng.random(shape) < _DENSITY)
    return {INPUT: levels, **Golden(network).run(levels, record=True).levels}


def choose_coding(network: Network, levels: Levels, wanted: str) -> dict[str, Coding]:
    """Coding per source: the wanted one, or with "auto" the one with the fewest digits.

    Raises
    ------
    InputError
        If `wanted` is unknown.
    """
    if wanted in ("binary", "naf", "unary"):
        return dict.fromkeys(levels, wanted)
    if wanted != AUTO:
        raise InputError(f"Coding must be auto, binary, naf or unary, not {wanted!r}")
    return {
        source: min(("binary", "naf"), key=lambda coding: int(digit_count(n.astype(np.int64), coding).sum()))
        for source, n in levels.items()
    }


def parse_lanes(text: str | int | Mapping[str, int], network: Network) -> dict[str, int]:
    """Read `auto`, a number for all, or `layer=number,..` (the others automatic): lanes that are fixed.

    Raises
    ------
    InputError
        If a layer is unknown or a count is not a positive integer.
    """
    if text == AUTO:
        return {}
    if isinstance(text, Mapping):
        fixed = dict(text)
    elif "=" in str(text):
        fixed = dict(part.partition("=")[::2] for part in str(text).split(","))
    else:
        fixed = dict.fromkeys(network.by_name, text)
    for name, count in fixed.items():
        if name not in network.by_name:
            raise InputError(f"Lanes must name one of {', '.join(network.by_name)}, not {name!r}")
        try:
            fixed[name] = int(count) if isinstance(count, str) else operator.index(count)
        except (TypeError, ValueError):
            raise InputError(f"Lane count of {name!r} must be a positive integer, not {count!r}") from None
        if fixed[name] < 1 or isinstance(count, bool):
            raise InputError(f"Lane count of {name!r} must be a positive integer, not {count}")
    return fixed


def choose_lanes(
    network: Network, coding: Mapping[str, Coding], levels: Levels, fixed: Mapping[str, int]
) -> dict[str, int]:
    """Lanes per population: the fixed ones, and for the others as few as keep the pace.

    Starting from 32 lanes each, a layer gives up lanes as long as the interval between results
    grows by no more than 2 % and the latency by no more than 10 % over that start.
    """
    start = {name: min(p.channels, MOST_LANES) for name, p in network.by_name.items()}
    lanes = {**start, **fixed}

    def timing(lanes: Mapping[str, int]) -> Cycles:
        return predict(profile_of(network, lanes, coding), levels)

    best = timing(lanes)
    for name in network.by_name:
        if name in fixed:
            continue
        for fewer in _candidates(network.by_name[name].channels, lanes[name]):
            tried = timing({**lanes, name: fewer})
            if tried.interval > _SLOWER * best.interval or tried.latency > _LATER * best.latency:
                break
            lanes[name] = fewer
    return lanes


def _candidates(channels: int, below: int) -> list[int]:
    """Lane counts that need one block more each, from many to few."""
    counts = {-(-channels // blocks) for blocks in range(1, channels + 1)}
    return sorted((count for count in counts if count < below), reverse=True)


def summary(profile: Profile, levels: Levels) -> dict[str, Any]:
    """What the cycle model says of the calibration data, for the build's report."""
    cycles = predict(profile, levels)
    return {
        "samples": len(levels[INPUT]),
        "cycles_interval": round(cycles.interval, 3),
        "cycles_latency": cycles.latency,
        "layers": {
            layer.name: {
                "cycles": round(layer.busy / len(levels[INPUT]), 3),
                "lane_use": round(layer.lane_use, 4),
            }
            for layer in cycles.layers
        },
        "firing": {source: round(float((n > 0).mean()), 4) for source, n in levels.items()},
        "levels": {source: np.bincount(n.ravel()).tolist() for source, n in levels.items()},
    }
