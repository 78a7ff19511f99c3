"""What an inference costs: operations, effort in bits, and energy, as the papers and spikefold count them.

Energy is by published constants; additions, MACs and so on are given, nothing is run:

* **PIT, appendix E.2** (45 nm, 32-bit floating point): 0.9 pJ per accumulation, 4.6 pJ per MAC. Its Table 10
  adds up with these MACs: those of the first layer once, plus one per neuron for the update and one more per
  neuron where levels have a scale, both once whatever T is (ResNet18 on CIFAR10: 1.769 M + 0.557 M = 2.33 M
  for LIF and I-LIF, 2.88 M for PIT). An accumulation is a unary spike reaching one synapse.
* **QB-LIF, section 5.5, and ReverB-SNN, section 5**: 12.5 pJ per FLOP, the MACs of the first layer at every
  time step; 77 fJ per synaptic operation; 3.7 pJ per sign operation. QB-LIF counts a synaptic operation per
  unary spike, ReverB per non-zero value. Most rows of both add up without sign operations, which therefore
  stay outside.
* **spikefold**: no MACs. Every digit of an event is one integer addition per synapse, in the first layer too;
  neurons add and compare. 0.1 pJ is a 32-bit integer addition in 45 nm (Horowitz, ISSCC 2014); a comparison
  counts as one. For a comparison operation by operation the same is given with PIT's 0.9 pJ.

Memory and data movement are in none of them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spikefold.analysis.operations import SynapseCount
from spikefold.analysis.sources import COUNTS
from spikefold.errors import InputError
from spikefold.ir import ShiftSum, ShiftSums
from spikefold.ir.coding import CODINGS

WEIGHT_BITS = 16
PIT_ADDITION, PIT_MAC = 0.9, 4.6
FLOP, SYNAPTIC_OPERATION, SIGN_OPERATION = 12.5, 0.077, 3.7
INTEGER_ADDITION = 0.1
"""All in pJ."""

_MICROJOULES = 1e-6  # in a picojoule


@dataclass(frozen=True)
class Update:
    """Operations of one update of a neuron as the hardware does it, without any multiplication."""

    shifts: int
    additions: int
    comparisons: int

    def __add__(self, other: "Update") -> "Update":
        return Update(
            self.shifts + other.shifts,
            self.additions + other.additions,
            self.comparisons + other.comparisons,
        )


def update_of(
    levels: int,
    rounding: str,
    reset: str,
    leak: ShiftSum | ShiftSums,
    factor: ShiftSum | None,
    fire_floor: bool,
    steps: int,
) -> Update:
    """Return the operations of a neuron per time step; parameters as `spikefold.ir.Neuron`.

    The bias is added, and half a threshold where levels are rounded to the nearest. The ladder has one rung
    per bit of D: a subtraction and a comparison each. ReverB's fire floor is one comparison. With several
    time steps the leak is a sum of shifted membranes that is added to the current, with one addition more to
    round it (of leaks that differ between channels the longest, as the hardware has a stage for each of its
    terms); QB-LIF's reset factor is such a sum too; reset by subtraction takes the half threshold off again;
    resets to zero and "none" add nothing. With one time step there is no membrane to keep, hence neither
    leak nor reset.
    """
    rungs, half = levels.bit_length(), int(rounding != "floor")
    update = Update(0, 1 + half + rungs, rungs + int(fire_floor))
    if steps == 1:
        return update
    one = leak.longest if isinstance(leak, ShiftSums) else leak
    update += _shift_sum(one) + Update(0, int(bool(one.terms)), 0)
    if factor is not None:
        update += _shift_sum(factor)
    if reset == "subtract":
        update += Update(0, half, 0)
    return update


def _shift_sum(factor: ShiftSum) -> Update:
    """Operations of a shift sum: its terms are shifted, added, rounded and shifted back."""
    rounds = int(factor.precision > 0)
    shifts = sum(shift < factor.precision for _, shift in factor.terms) + rounds
    return Update(shifts, max(0, len(factor.terms) - 1) + rounds, 0)


@dataclass(frozen=True)
class NeuronCount:
    """Updates of one neuron layer per sample: `neurons` neurons, T times each."""

    neurons: int
    steps: int
    each: Update
    macs: int

    @property
    def updates(self) -> int:
        """Neurons times time steps."""
        return self.neurons * self.steps

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, per sample."""
        return {
            "updates": self.updates,
            "shifts": self.updates * self.each.shifts,
            "additions": self.updates * self.each.additions,
            "comparisons": self.updates * self.each.comparisons,
            "macs": self.macs,
        }


@dataclass(frozen=True)
class Effort:
    """Synaptic arithmetic computation effort, S-ACE, and its event-driven form, NS-ACE, in bit operations.

    Shen et al., "Are Conventional SNNs Really Efficient? A Perspective from Network Quantization" (CVPR
    2024), weigh every multiply-accumulate with the bits of its weight and of its activation, time steps
    counting as bits of the activation. As PIT's Table 3 uses it, an activation of ``T x D`` has ``T * D``
    bits (``D`` binary sub-steps per time step, PIT Eq. 21):

        S-ACE  = sum over layers of  MACs * weight bits * T * D
        NS-ACE = sum over layers of  MACs * weight bits * T * D * rate

    ``rate`` is what part of the ``T * D`` sub-steps carries a spike, the mean level over ``D``, of what the
    layer reads; a layer that reads the input has rate 1. All layers with weights count, shortcuts and the
    first and last layer among them; MACs are those of the dense network, taps in the padding included. Table
    3 rounds the MACs of ResNet18 on CIFAR10 to 0.56 G first: 0.56 G * 16 * 4 = 35.84 G; unrounded they are
    0.5554 G and give 35.55 G.
    """

    s_ace: float
    ns_ace: float

    def __add__(self, other: "Effort") -> "Effort":
        return Effort(self.s_ace + other.s_ace, self.ns_ace + other.ns_ace)


def synaptic_effort(
    macs: int, steps: int, levels: int, rate: float, weight_bits: int = WEIGHT_BITS
) -> Effort:
    """Return the effort of a layer with ``macs`` MACs per time step that reads ``T x D`` spikes.

    Raises
    ------
    InputError
        If ``weight_bits`` is not a positive integer.
    """
    if isinstance(weight_bits, bool) or not isinstance(weight_bits, int) or weight_bits < 1:
        raise InputError(f"Weight bits must be a positive integer, not {weight_bits!r}")
    dense = float(macs * weight_bits * steps * levels)
    return Effort(dense, dense * rate)


def pit_energy(additions: float, macs: float) -> float:
    """Return µJ by PIT's constants."""
    return (additions * PIT_ADDITION + macs * PIT_MAC) * _MICROJOULES


def neuromorphic_energy(flops: float, operations: float, signs: float = 0) -> float:
    """Return µJ by the constants of QB-LIF and ReverB-SNN."""
    return (flops * FLOP + operations * SYNAPTIC_OPERATION + signs * SIGN_OPERATION) * _MICROJOULES


def integer_energy(additions: float, each: float = INTEGER_ADDITION) -> float:
    """Return µJ of integer additions, by default with 32 bits."""
    return additions * each * _MICROJOULES


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
        """Energies in µJ, see the module."""
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
        {n: _additions(some, n) / samples for n in COUNTS} for some in (synapses, first, rest)
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


def _additions(counts: Sequence[SynapseCount], name: str) -> float:
    return sum(count.additions[name] for count in counts)
