"""Distribution of learned parameters: PIT's `a`, QB-LIF's `γ`, ReverB's `LSB / alpha` (PIT Fig. 7)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold.nn import SpikingNeuron


@dataclass(frozen=True, eq=False)
class Spread:
    """Values [T, C] of a layer's parameter, and a summary of them."""

    values: NDArray[np.float64]

    def to_json(self) -> dict[str, float]:
        """Return the smallest, the quartiles, the largest and the mean."""
        names = ("min", "lower_quartile", "median", "upper_quartile", "max")
        quartiles = np.quantile(self.values, (0, 0.25, 0.5, 0.75, 1)).tolist()
        return dict(zip(names, quartiles, strict=True)) | {"mean": float(self.values.mean())}


@dataclass(frozen=True)
class LearnedScales:
    """A neuron layer's thresholds (membrane between two levels) and scales (value of a level)."""

    threshold: Spread
    scale: Spread

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"threshold": self.threshold.to_json(), "scale": self.scale.to_json()}


def learned_scales(model: torch.nn.Module) -> dict[str, LearnedScales]:
    """Return thresholds and scales of every neuron layer by its path."""
    return {
        name: LearnedScales(_spread(module.threshold), _spread(module.scale))
        for name, module in model.named_modules()
        if isinstance(module, SpikingNeuron)
    }


def earlier_scales(earlier: torch.nn.Module, model: torch.nn.Module) -> dict[str, LearnedScales]:
    """Return the scales of ``earlier``, the same network after fewer epochs.

    Raises
    ------
    InputError
        If its neuron layers have other names, kinds or sizes.
    """
    first, last = (_layers(network) for network in (earlier, model))
    if first != last:
        mine, theirs = (dict(layers) for layers in (last, first))
        name = next(n for n in (*mine, *theirs) if mine.get(n) != theirs.get(n))
        raise InputError(
            "First model must have the neuron layers of the analysed one, but differs in "
            f"{name!r}: {_words(theirs.get(name))} instead of {_words(mine.get(name))}; "
            "give an earlier state of the same network"
        )
    return learned_scales(earlier)


def _layers(model: torch.nn.Module) -> dict[str, tuple[str, int, int, int]]:
    return {
        name: (type(module).__name__, module.channels, module.steps, module.levels)
        for name, module in model.named_modules()
        if isinstance(module, SpikingNeuron)
    }


def _words(layer: tuple[str, int, int, int] | None) -> str:
    if layer is None:
        return "no such layer"
    kind, channels, steps, levels = layer
    return f"{kind} with {channels} channels, T={steps}, D={levels}"


def _spread(values: torch.Tensor) -> Spread:
    return Spread(values.detach().to(torch.float64).numpy(force=True).copy())
