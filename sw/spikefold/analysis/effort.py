"""Synaptic arithmetic computation effort, S-ACE, and its event-driven form, NS-ACE.

Shen et al., "Are Conventional SNNs Really Efficient? A Perspective from Network Quantization" (CVPR 2024),
weigh every multiply-accumulate with the bits of its weight and of its activation, time steps counting as bits
of the activation. As PIT's Table 3 uses it, an activation of ``T x D`` has ``T * D`` bits (``D`` binary
sub-steps per time step, PIT Eq. 21):

    S-ACE  = sum over layers of  MACs * weight bits * T * D
    NS-ACE = sum over layers of  MACs * weight bits * T * D * rate

``rate`` is what part of the ``T * D`` sub-steps carries a spike, the mean level over ``D``, of what the layer
reads; a layer that reads the input has rate 1. All layers with weights count, shortcuts and the first and
last layer among them; MACs are those of the dense network, taps in the padding included. Table 3 rounds the
MACs of ResNet18 on CIFAR10 to 0.56 G first: 0.56 G * 16 * 4 = 35.84 G; unrounded they are 0.5554 G and give
35.55 G.
"""

from dataclasses import dataclass

from spikefold.errors import InputError

WEIGHT_BITS = 16


@dataclass(frozen=True)
class Effort:
    """Bit operations of one layer or of several: ``s_ace``, and ``ns_ace`` where silence costs nothing."""

    s_ace: float
    ns_ace: float

    def __add__(self, other: "Effort") -> "Effort":
        return Effort(self.s_ace + other.s_ace, self.ns_ace + other.ns_ace)


NOTHING = Effort(0.0, 0.0)


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
