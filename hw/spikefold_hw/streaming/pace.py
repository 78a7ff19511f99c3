"""How many cycles a sample every stage needs by itself, from counts of digits and events.

The pace of a design is that of its slowest stage; the exact model (`predict`) adds what stages wait for
each other. All counts are taken once; asking for other lanes costs no more than a few sums.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spikefold.ir.neuron import Integers


@dataclass(frozen=True)
class Pace:
    """Mean cycles a sample of one stage.

    Attributes
    ----------
    cycles
        All together: of each cell what takes longest, as one cell is overlapped by the next.
    parts
        Cycles by what takes them: "lanes" (digits and flushes), "drain" (words of sums, and events sent one
        per cycle), "gather" (taps and events under the windows), "scan" (channels of a pool or sum) or
        "input" (beats).
    """

    cycles: float
    parts: Mapping[str, float]

    @classmethod
    def of(cls, samples: int, **parts: Integers) -> "Pace":
        """Pace of a stage whose parts work on different cells at once; cycles of every cell by part."""
        slowest = np.maximum.reduce(list(parts.values()))
        means = {name: float(cycles.sum()) / samples for name, cycles in parts.items()}
        return cls(float(slowest.sum()) / samples, means)

    @property
    def bound(self) -> str:
        """What takes most of the cycles."""
        return max(self.parts, key=self.parts.__getitem__)


class Work(ABC):
    """The work of a stage on calibration data."""

    @abstractmethod
    def pace(self, lanes: int = 1, units: int = 1) -> Pace:
        """What the stage needs with so many lanes, and neurons drained per cycle; some have neither."""
