"""Digit codings from calibration data."""

import numpy as np
from numpy.typing import NDArray

from spikefold.ir.coding import CODINGS, Coding, digit_count
from spikefold_hw.calibration import Levels


def codings(levels: Levels, wanted: str) -> dict[str, Coding]:
    """Coding per source: the wanted one, or with "auto" the one with the fewest digits."""
    for coding in CODINGS:
        if coding == wanted:
            return dict.fromkeys(levels, coding)
    return {source: _fewest_digits(np.bincount(values.ravel())) for source, values in levels.items()}


def _fewest_digits(counts: NDArray[np.integer]) -> Coding:
    """Coding with the fewest digits where level n occurs `counts[n]` times; binary wins a tie."""
    candidates: tuple[Coding, ...] = ("binary", "naf")
    return min(candidates, key=lambda coding: int(counts @ digit_count(np.arange(len(counts)), coding)))
