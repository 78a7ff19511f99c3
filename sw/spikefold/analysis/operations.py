"""Additions and MACs of every layer with weights, per sample."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikefold.analysis.sources import COUNTS, Source
from spikefold.nn import Conv2d

Weighted = torch.nn.Linear | Conv2d


@dataclass
class SynapseCount:
    """Work of one layer with weights, summed over samples while it is counted.

    Attributes
    ----------
    name, kind
        Path in the model; "dense", "conv", or "identity" for spikes added to a current.
    macs
        MACs of the dense network per time step and sample, taps in the padding included; 0 for an identity.
    first
        Whether it reads the network's input.
    rate
        Mean level over D of what it reads, 1 where that is the input.
    additions
        By name of `COUNTS`: additions of all samples. Events and digits are counted at the positions they
        have: one at a border reaches fewer targets. A static input is worked on once, not T times.
    """

    name: str
    kind: str
    macs: int = 0
    first: bool = False
    additions: dict[str, float] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0.0))
    _levels: float = 0.0
    _places: float = 0.0

    @property
    def rate(self) -> float:
        """Mean level over D of what it reads."""
        return 1.0 if self.first else self._levels / max(1.0, self._places)

    def update(self, sources: list[Source], reach: NDArray[np.float64], levels: int) -> None:
        """Take in a batch: what is read, and how many targets a level at each position reaches.

        ``levels`` is the network's D, to which the rate refers.
        """
        self.first = self.first or any(source.raw for source in sources)
        for source in sources:
            for name, counts in source.sums().items():
                self.additions[name] += float((counts * reach).sum())
            self._levels += float(source.levels.sum(dtype=torch.float64)) / source.divisor
        self._places += sources[0].levels.numel() * levels

    def to_json(self, samples: int) -> dict[str, Any]:
        """Return plain JSON values, per sample."""
        return {
            "name": self.name,
            "kind": self.kind,
            "first": self.first,
            "macs": self.macs,
            "rate": self.rate,
            "additions": {name: count / samples for name, count in self.additions.items()},
        }


def macs_of(layer: Weighted, output: Tensor) -> int:
    """MACs of a dense layer or convolution for one sample and time step; ``output`` is [T, B, ...]."""
    return output[0, 0].numel() * layer.weight[0].numel()


def reach_of(layer: Weighted, levels: Tensor) -> NDArray[np.float64]:
    """Targets that a level reaches: for each position [H, W] of ``levels`` under a convolution, else []."""
    if isinstance(layer, torch.nn.Linear):
        return np.array(float(layer.out_features))
    windows = coverage(levels.shape[-2:], layer.kernel_size, layer.stride, layer.padding)
    return windows * (layer.out_channels // layer.groups)


def coverage(
    size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> NDArray[np.float64]:
    """Windows that each position of a map is in, [H, W]; windows lie wholly within the padded map.

    All are (rows, columns).
    """
    rows, columns = (_covered(*axis) for axis in zip(size, kernel, stride, padding, strict=True))
    return np.outer(rows, columns)


def _covered(size: int, kernel: int, stride: int, padding: int) -> NDArray[np.float64]:
    counts = np.zeros(size + 2 * padding)
    for start in range(0, len(counts) - kernel + 1, stride):
        counts[start : start + kernel] += 1
    return counts[padding : padding + size]
