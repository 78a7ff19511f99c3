"""Integer-spike neurons from the metadata of their nodes (`spikefold.exporters.nir`), computed in float64."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor


def integer_spikes(told: Mapping[str, Any], x: Tensor) -> Tensor:
    """The levels, [T, B, C, ...], that a population emits for currents `x` of the same shape.

    `u = leak · v + gain · x`; `n = clip(round(u / distance), 0, levels)`; then the reset.
    """
    distance = per_step(told["distance"], x)
    rounding, half = _word(told["rounding"]), 0.0 if _word(told["rounding"]) == "floor" else 0.5
    leak, gain = (per_step(np.array(told[key])[None], x)[0] for key in ("leak", "gain"))
    reset, floor = _word(told["reset"]), told.get("floor")
    v, fired = torch.zeros_like(x[0]), torch.zeros_like(x[0], dtype=torch.bool)
    given = []
    for t, current in enumerate(x):
        u = leak * v + gain * current
        if reset == "scale":
            u = torch.where(fired, u * float(told["factor"]), u)
        places = u / distance[t]
        n = torch.round(places) if rounding == "half_even" else torch.floor(places + half)
        n = n.clamp(0, int(told["levels"]))
        fired = n > 0 if floor is None else u >= float(floor)
        n = n * fired
        given.append(n)
        v = u - n * distance[t] if reset == "subtract" else u
        if reset == "zero":
            v = torch.where(fired, 0.0, u)
    return torch.stack(given)


def per_step(values: Any, x: Tensor) -> Tensor:
    """Numbers [T, C] so that they broadcast over `x` [T, B, C, ...]."""
    table = torch.from_numpy(np.array(values, np.float64))
    return table.reshape(table.shape[0], 1, -1, *(1,) * (x.dim() - 3))


def _word(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
