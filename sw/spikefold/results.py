"""What a run of the Verilog found."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefold.numbers import number
from spikefold.shown import table_html
from spikefold_hw.cycles import Cycles
from spikefold_sim.observation import Observation
from spikefold_sim.scoreboard import Mismatch

_SHOWN = 12  # classes in a line


@dataclass(frozen=True, repr=False)
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
    build_seconds
        Wall time until the simulator was there: built, or found.
    """

    logits: NDArray[np.int64]
    classes: NDArray[np.int64]
    cycles: int
    starts: NDArray[np.int64]
    results: NDArray[np.int64]
    seconds: float
    counters: dict[str, int]
    build_seconds: float = 0.0

    def __repr__(self) -> str:
        classes = " ".join(map(str, self.classes[:_SHOWN])) + " .." * (len(self.classes) > _SHOWN)
        return (
            f"<Simulation of {len(self.classes)} samples in {number(self.cycles)} cycles: classes {classes}>"
        )

    def _repr_html_(self) -> str:
        rows = [
            ("samples", number(len(self.classes))),
            ("cycles", number(self.cycles)),
            ("seconds", f"{self.seconds:.2f}"),
            ("seconds to build", f"{self.build_seconds:.1f}"),
        ]
        return table_html("Simulation", [*rows, *((name, number(n)) for name, n in self.counters.items())])


@dataclass(frozen=True, repr=False)
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
    build_seconds
        Wall time until the simulator was there: built, or found.
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
    build_seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """No mismatch, and no deviation from the cycle model."""
        return self.mismatches == 0 and self.cycle_exact is not False

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "passed": self.passed}

    @property
    def verdict(self) -> str:
        """What was found, in a line."""
        if self.first is not None:
            return f"{number(self.mismatches)} mismatches; first: {self.first}"
        if not self.passed:
            return (
                "results came in other cycles than the cycle model predicts: "
                f"{self.cycles_per_sample:g} cycles per sample, not {self.cycles_predicted:g}"
            )
        exact = ", every result in the predicted cycle" if self.cycle_exact else ""
        return f"every level of every layer equals the golden model{exact}"

    def __repr__(self) -> str:
        word = "passed" if self.passed else "FAILED"
        return f"<Verification {word}, {number(self.samples)} samples in {self.simulator}: {self.verdict}>"

    def _repr_html_(self) -> str:
        rows = [
            ("verdict", self.verdict),
            ("samples", number(self.samples)),
            ("mismatches", number(self.mismatches)),
            ("cycles per sample", f"{self.cycles_per_sample:.2f}"),
            ("simulator", self.simulator),
            ("seconds", f"{self.seconds:.1f}"),
            ("seconds to build", f"{self.build_seconds:.1f}"),
        ]
        return table_html("Verification passed" if self.passed else "Verification failed", rows)


def interval(seen: Observation) -> float:
    """Mean cycles between results; of a single sample, the cycles from its first beat to its result."""
    results = seen.result_cycles
    if len(results) < 2:
        return float(results[-1] - seen.start_cycles[0] + 1) if len(results) else 0.0
    return float(results[-1] - results[0]) / (len(results) - 1)


def same_cycles(seen: Observation, predicted: Cycles) -> bool:
    """Whether every sample began, and every result came, in the predicted cycle."""
    first = seen.start_cycles[0]
    return np.array_equal(seen.result_cycles - first, predicted.results) and np.array_equal(
        seen.start_cycles - first, predicted.starts
    )
