"""The integer leaky integrate-and-fire neuron."""

from spikefold.nn import checks
from spikefold.nn.functional import NEAREST
from spikefold.nn.neurons.constant import ConstantNeuron
from spikefold.nn.neurons.leak import Leak


class ILIF(ConstantNeuron):
    """Integer leaky integrate-and-fire neuron (PIT Eq. 8): emits ``clip(round(u / threshold), 0, D)``.

    The real value of a level is 1 whatever the threshold; a soft reset subtracts ``threshold`` times the
    level. Input and output [T, B, C, ...].

    Parameters
    ----------
    channels, levels, steps, leak, rectify, reset, input_decay, surrogate : as in ``SpikingNeuron``.
    threshold : above 0, in units of the membrane.
    rounding : of ties, "half_up", or "half_even" as in SpikingJelly.
    """

    def __init__(
        self,
        channels: int,
        levels: int = 4,
        steps: int = 1,
        leak: Leak = 0.5,
        rectify: float = 0.0,
        reset: str = "subtract",
        input_decay: bool = False,
        surrogate: str = "rectified",
        threshold: float = 1.0,
        rounding: str = "half_up",
    ) -> None:
        checks.choice("ILIF rounding", rounding, NEAREST)
        super().__init__(
            threshold, channels, levels, steps, leak, rectify, rounding, reset, input_decay, surrogate
        )
