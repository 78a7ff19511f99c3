"""Whether the rows of a table come in the order they have in the paper, and how surely."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from experiments import Row, Table
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pair:
    """Two rows, ``high`` the better one in the paper.

    ``gap`` is how far it is better here, in points; ``error`` the standard error of that difference.
    """

    low: Row
    high: Row
    gap: float
    error: float

    @property
    def shows(self) -> bool:
        """Whether the order is the paper's."""
        return self.gap > 0

    @property
    def sure(self) -> bool:
        """Whether the difference is beyond twice its standard error."""
        return abs(self.gap) > 2 * self.error

    def __str__(self) -> str:
        judged = "beyond" if self.sure else "within"
        first, second = (self.high, self.low) if self.shows else (self.low, self.high)
        return (
            f"{first.label} is {abs(self.gap):.2f} points above {second.label}, {judged} twice the standard "
            f"error of that difference ({self.error:.2f})."
        )


def pairs_of(table: Table, accuracies: Mapping[str, NDArray[np.float64]]) -> list[Pair]:
    """Compare every two rows that have the accuracies of several seeds."""
    rows = sorted((row for row in table.rows if len(accuracies[row.label]) > 1), key=lambda row: row.paper)
    return [
        Pair(low, high, *_difference(accuracies[low.label], accuracies[high.label]))
        for low, high in combinations(rows, 2)
    ]


def _difference(low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[float, float]:
    errors = [values.std(ddof=1) / np.sqrt(len(values)) for values in (low, high)]
    return float(high.mean() - low.mean()), float(np.hypot(*errors))
