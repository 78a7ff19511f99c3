"""What a histogram of levels says of a layer (QB-LIF Fig. 5 and 6, PIT Fig. 6)."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

EFFECTIVE = 1e-2
"""A level is effective if its probability is above this (QB-LIF Fig. 6c)."""


@dataclass(frozen=True, eq=False)
class LevelStatistics:
    """How often each level occurred: ``counts`` [T, D + 1], over all neurons and samples."""

    counts: NDArray[np.int64]

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """Probability of each level over all time steps, [D + 1]."""
        total = self.counts.sum(axis=0)
        shares: NDArray[np.float64] = total / total.sum()
        return shares

    @property
    def levels(self) -> int:
        """D."""
        return int(self.counts.shape[1]) - 1

    @cached_property
    def activity_by_step(self) -> NDArray[np.float64]:
        """Share of neurons that emit a level above 0, [T]."""
        shares: NDArray[np.float64] = 1 - self.counts[:, 0] / self.counts.sum(axis=1)
        return shares

    @cached_property
    def mean_by_step(self) -> NDArray[np.float64]:
        """Mean level, [T]; over D it is the firing rate of the D unary sub-steps."""
        means: NDArray[np.float64] = self.counts @ np.arange(self.levels + 1) / self.counts.sum(axis=1)
        return means

    @property
    def activity(self) -> float:
        """Activity ratio: share of levels above 0 (QB-LIF Fig. 6d)."""
        return float(1 - self.probabilities[0])

    @property
    def mean(self) -> float:
        """Mean level."""
        return float(self.probabilities @ np.arange(self.levels + 1))

    @property
    def rate(self) -> float:
        """Mean level over D: what part of the D unary sub-steps of a time step carries a spike."""
        return self.mean / self.levels

    @property
    def entropy(self) -> float:
        """Entropy of a level in bits, at most ``max_entropy``."""
        seen = self.probabilities[self.probabilities > 0]
        return float(-(seen * np.log2(seen)).sum()) + 0.0

    @property
    def max_entropy(self) -> float:
        """``log2(D + 1)`` bits."""
        return math.log2(self.levels + 1)

    @property
    def effective(self) -> int:
        """Number of levels with a probability above 0.01."""
        return int((self.probabilities > EFFECTIVE).sum())

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "activity": self.activity,
            "sparsity": 1 - self.activity,
            "mean_level": self.mean,
            "rate": self.rate,
            "entropy_bits": self.entropy,
            "max_entropy_bits": self.max_entropy,
            "effective_levels": self.effective,
            "activity_by_step": self.activity_by_step.tolist(),
            "mean_level_by_step": self.mean_by_step.tolist(),
            "level_counts": self.counts.tolist(),
        }
