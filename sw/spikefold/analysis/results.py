"""What an analysis found, as data."""

from dataclasses import asdict, dataclass
from typing import Any

from spikefold.analysis.capacity import Capacity, capacity_table
from spikefold.analysis.cost import Effort, NeuronCount, Totals
from spikefold.analysis.integer import IntegerOperations
from spikefold.analysis.landscape import Landscape
from spikefold.analysis.levels import LevelStatistics
from spikefold.analysis.membranes import MembraneStatistics
from spikefold.analysis.operations import SynapseCount
from spikefold.analysis.scales import LearnedScales

SCHEMA = 1


@dataclass(frozen=True)
class NeuronLayer:
    """One layer of neurons: its statistics on the samples, its parameters, its capacity and its work."""

    name: str
    kind: str
    steps: int
    levels: int
    neurons: int
    statistics: LevelStatistics
    membranes: MembraneStatistics
    learned: LearnedScales
    capacity: Capacity
    work: NeuronCount

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "name": self.name,
            "kind": self.kind,
            "steps": self.steps,
            "levels": self.levels,
            "neurons": self.neurons,
            **self.statistics.to_json(),
            "membrane": self.membranes.to_json(),
            **self.learned.to_json(),
            "capacity": self.capacity.to_json(),
            "work": self.work.to_json(),
        }


@dataclass(frozen=True)
class Analysis:
    """Everything `analyze` found.

    Attributes
    ----------
    samples, accuracy
        Samples recorded, and the percentage of them that was classified right, or None without labels.
    steps, levels
        T, and D: the most of all neuron layers.
    parameters
        Trained numbers of the network.
    neurons, synapses
        The layers in order.
    totals
        Of the whole network.
    efforts
        Of the layers with weights, for weights of `weight_bits` bits.
    first
        Learned scales of an earlier state by layer, or None.
    landscape, integer
        Where asked for, else None.
    """

    samples: int
    accuracy: float | None
    steps: int
    levels: int
    parameters: int
    neurons: tuple[NeuronLayer, ...]
    synapses: tuple[SynapseCount, ...]
    totals: Totals
    efforts: tuple[Effort, ...]
    weight_bits: int
    first: dict[str, LearnedScales] | None = None
    landscape: Landscape | None = None
    integer: IntegerOperations | None = None

    @property
    def effort(self) -> Effort:
        """Of the whole network."""
        return sum(self.efforts, start=Effort(0.0, 0.0))

    @property
    def capacities(self) -> dict[str, Capacity]:
        """PIT's Table 1 for T, D and the neurons N of the last layer, by method."""
        return capacity_table(self.steps, self.levels, self.neurons[-1].neurons)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; the schema is in the package's docstring."""
        return {
            "schema": SCHEMA,
            "samples": self.samples,
            "accuracy": self.accuracy,
            "steps": self.steps,
            "levels": self.levels,
            "parameters": self.parameters,
            "neurons": [layer.to_json() for layer in self.neurons],
            "synapses": [
                {**layer.to_json(self.samples), **asdict(effort)}
                for layer, effort in zip(self.synapses, self.efforts, strict=True)
            ],
            "capacity": {name: row.to_json() for name, row in self.capacities.items()},
            "effort": {"weight_bits": self.weight_bits, **asdict(self.effort)},
            "totals": self.totals.to_json(),
            "first": None if self.first is None else {name: s.to_json() for name, s in self.first.items()},
            "landscape": None if self.landscape is None else self.landscape.to_json(),
            "integer": None if self.integer is None else self.integer.to_json(),
        }
