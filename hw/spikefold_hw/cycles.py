"""Timing of a run, as every architecture predicts it."""

from dataclasses import dataclass

from spikefold.ir.neuron import Integers


@dataclass(frozen=True)
class LaneCycles:
    """Work of one layer: cycles its lanes were issuing or draining, digits they took, adds of all lanes."""

    name: str
    lanes: int
    busy: int
    digits: int
    adds: int

    @property
    def lane_use(self) -> float:
        """Lane-adds issued (zero weights counted) over lane-cycles of its busy time."""
        return self.adds / (self.lanes * self.busy) if self.busy else 0.0


@dataclass(frozen=True)
class Cycles:
    """Timing of a run of samples at full load.

    Attributes
    ----------
    starts, results
        Cycle of each sample's first input beat and of its last result beat, the very first input
        beat being cycle 0; shape (samples,).
    layers
        Work per layer, in order.
    """

    starts: Integers
    results: Integers
    layers: tuple[LaneCycles, ...]

    @property
    def total(self) -> int:
        """Cycles from the first input beat to the last result beat, both counted."""
        return int(self.results[-1]) + 1

    @property
    def interval(self) -> float:
        """Mean cycles between two results."""
        if len(self.results) == 1:
            return float(self.total)
        return float(self.results[-1] - self.results[0]) / (len(self.results) - 1)

    @property
    def latency(self) -> int:
        """Cycles of the first sample alone, from its first input beat to its result, both counted."""
        return int(self.results[0] - self.starts[0]) + 1

    @property
    def busiest(self) -> LaneCycles:
        """The layer that sets the pace."""
        return max(self.layers, key=lambda layer: layer.busy)
