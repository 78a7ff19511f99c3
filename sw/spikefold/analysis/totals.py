"""Work and energy of the whole network per sample, as the three papers count it and as spikefold does it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spikefold.analysis.energy import PIT_ADDITION, integer_energy, neuromorphic_energy, pit_energy
from spikefold.analysis.operations import NeuronCount, SynapseCount
from spikefold.analysis.sources import COUNTS
from spikefold.ir.coding import CODINGS


@dataclass(frozen=True)
class Totals:
    """Operations of one inference.

    Attributes
    ----------
    macs
        Of all layers with weights, per time step: the dense network's.
    pit_additions, pit_macs
        Unary spikes times fan-out behind the first layer; MACs as PIT's Table 10 counts them.
    flops, synaptic_operations, nonzero_operations, signs
        As QB-LIF and ReverB-SNN count: MACs of the first layer at every step; unary spikes, and values above
        zero, times fan-out behind the first layer; neuron updates.
    additions
        By coding: spikefold's synaptic additions, the first layer's among them.
    first_additions
        Those of the first layer alone: bit planes of the input.
    updates, shifts, neuron_additions, comparisons
        Of all neurons.
    """

    macs: int
    pit_additions: float
    pit_macs: int
    flops: int
    synaptic_operations: float
    nonzero_operations: float
    signs: int
    additions: dict[str, float]
    first_additions: dict[str, float]
    updates: int
    shifts: int
    neuron_additions: int
    comparisons: int

    @property
    def energy(self) -> dict[str, Any]:
        """Energies in µJ, see `spikefold.analysis.energy`."""
        neurons = self.neuron_additions + self.comparisons
        operations = {coding: self.additions[coding] + neurons for coding in CODINGS}
        return {
            "pit_uj": pit_energy(self.pit_additions, self.pit_macs),
            "qb_lif_uj": neuromorphic_energy(self.flops, self.synaptic_operations),
            "reverb_uj": neuromorphic_energy(self.flops, self.nonzero_operations),
            "signs_uj": neuromorphic_energy(0, 0, self.signs),
            "spikefold_uj": {coding: integer_energy(n) for coding, n in operations.items()},
            "spikefold_as_pit_uj": {
                coding: integer_energy(n, PIT_ADDITION) for coding, n in operations.items()
            },
        }

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "energy": self.energy}


def totals(
    synapses: Sequence[SynapseCount], neurons: Sequence[NeuronCount], samples: int, steps: int
) -> Totals:
    """Add up layers counted over ``samples``."""
    first = [count for count in synapses if count.first]
    rest = [count for count in synapses if not count.first]
    everything, inputs, spikes = (
        {n: _sum(some, n) / samples for n in COUNTS} for some in (synapses, first, rest)
    )
    macs = sum(count.macs for count in first)
    updates = sum(count.updates for count in neurons)
    return Totals(
        macs=sum(count.macs for count in synapses),
        pit_additions=spikes["unary"],
        pit_macs=macs + sum(count.macs for count in neurons),
        flops=macs * steps,
        synaptic_operations=spikes["unary"],
        nonzero_operations=spikes["events"],
        signs=updates,
        additions={coding: everything[coding] for coding in CODINGS},
        first_additions={coding: inputs[coding] for coding in CODINGS},
        updates=updates,
        shifts=sum(count.updates * count.each.shifts for count in neurons),
        neuron_additions=sum(count.updates * count.each.additions for count in neurons),
        comparisons=sum(count.updates * count.each.comparisons for count in neurons),
    )


def _sum(counts: Sequence[SynapseCount], name: str) -> float:
    return sum(count.additions[name] for count in counts)
