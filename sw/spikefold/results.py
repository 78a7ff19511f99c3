"""What a run of the Verilog found."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefold_sim.scoreboard import Mismatch


@dataclass(frozen=True)
class Simulation:
    """What the Verilog answered.

    Attributes
    ----------
    logits, classes
        As `spikefold.golden.Run`.
    cycles
        Clock cycles from the first input beat to the last result beat, both counted.
    starts, results
        Cycle of each sample's first input beat and last result beat, the very first being 0.
    seconds
        Wall time of the simulation, without the build.
    counters
        The design's own counters at the end.
    """

    logits: NDArray[np.int64]
    classes: NDArray[np.int64]
    cycles: int
    starts: NDArray[np.int64]
    results: NDArray[np.int64]
    seconds: float
    counters: dict[str, int]


@dataclass(frozen=True)
class Verification:
    """Whether the Verilog equals the golden model, value by value, and without stalls cycle by cycle.

    Attributes
    ----------
    samples, mismatches
        Samples run, and values or beats that differ.
    first
        The first mismatch, or None.
    cycles_per_sample
        Mean cycles between results, as simulated.
    cycles_predicted
        The same from the cycle model. With stalls, where it does not hold: None.
    cycle_exact
        Without stalls: whether every result came in the predicted cycle. With stalls: None.
    events
        Events seen on all inner streams.
    seconds
        Wall time of simulation and comparison, without the build.
    simulator
        Name and version.
    """

    samples: int
    mismatches: int
    first: Mismatch | None
    cycles_per_sample: float
    cycles_predicted: float | None
    cycle_exact: bool | None
    events: int
    seconds: float
    simulator: str

    @property
    def passed(self) -> bool:
        """No mismatch, and no deviation from the cycle model."""
        return self.mismatches == 0 and self.cycle_exact is not False

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "passed": self.passed}
