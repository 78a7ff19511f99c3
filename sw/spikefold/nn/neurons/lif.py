"""The leaky integrate-and-fire neuron."""

from spikefold.nn.neurons.constant import ConstantNeuron
from spikefold.nn.neurons.leak import Leak


class LIF(ConstantNeuron):
    """Leaky integrate-and-fire neuron (PIT Eq. 1-3): emits 1 where ``u >= threshold``, else 0.

    D = 1 and no rounding up; a soft reset subtracts the threshold. The emitted value of a spike is 1 whatever
    the threshold, so ``scale`` is 1 and ``threshold`` is the given number. Input and output [T, B, C, ...].

    Parameters
    ----------
    channels, steps, leak, rectify, reset, input_decay, surrogate : as in ``SpikingNeuron``.
    threshold : above 0, in units of the membrane.
    """

    def __init__(
        self,
        channels: int,
        threshold: float = 1.0,
        steps: int = 1,
        leak: Leak = 0.5,
        rectify: float = 0.0,
        reset: str = "subtract",
        input_decay: bool = False,
        surrogate: str = "rectified",
    ) -> None:
        super().__init__(threshold, channels, 1, steps, leak, rectify, "floor", reset, input_decay, surrogate)
