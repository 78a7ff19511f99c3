"""Energy of one inference by the published constants; additions, MACs and so on are given, nothing is run.

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

PIT_ADDITION, PIT_MAC = 0.9, 4.6
FLOP, SYNAPTIC_OPERATION, SIGN_OPERATION = 12.5, 0.077, 3.7
INTEGER_ADDITION = 0.1
"""All in pJ."""

_MICROJOULES = 1e-6  # in a picojoule


def pit_energy(additions: float, macs: float) -> float:
    """Return µJ by PIT's constants."""
    return (additions * PIT_ADDITION + macs * PIT_MAC) * _MICROJOULES


def neuromorphic_energy(flops: float, operations: float, signs: float = 0) -> float:
    """Return µJ by the constants of QB-LIF and ReverB-SNN."""
    return (flops * FLOP + operations * SYNAPTIC_OPERATION + signs * SIGN_OPERATION) * _MICROJOULES


def integer_energy(additions: float, each: float = INTEGER_ADDITION) -> float:
    """Return µJ of integer additions, by default with 32 bits."""
    return additions * each * _MICROJOULES
