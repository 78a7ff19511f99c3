"""The leaky neuron whose reset comes one step late, as snnTorch has it."""

from torch import Tensor

from spikefold.nn.neurons.constant import ConstantNeuron
from spikefold.nn.neurons.leak import Leak, leak_of


class Leaky(ConstantNeuron):
    """Leaky neuron that emits 1 where ``u >= threshold``, and loses the threshold after the next leak.

    ``u = leak * u' + x - threshold * s'``, where ``u'`` and ``s'`` are those of the step before. That is a
    soft reset by ``threshold / leak`` at once: ``v = u - s * threshold / leak``, ``u = leak * v + x``. So
    the ladder's distance is ``threshold / leak`` with rounding half up, and ``fire_floor`` the threshold
    itself, which lies above the ladder's half for a leak of at least 1/2. Input and output [T, B, C, ...].

    Parameters
    ----------
    channels, steps, rectify, surrogate : as in ``SpikingNeuron``.
    leak : 0.5..1, one number or one for each channel.
    threshold : above 0, in units of the membrane.
    """

    fire_floor: float

    def __init__(
        self,
        channels: int,
        threshold: float = 1.0,
        steps: int = 1,
        leak: Leak = 0.5,
        rectify: float = 0.0,
        surrogate: str = "rectified",
    ) -> None:
        leak = leak_of("Leaky", leak, channels, low=0.5)
        super().__init__(
            threshold, channels, 1, steps, leak, rectify, "half_up", "subtract", False, surrogate
        )
        self.fire_floor = self.firing_threshold

    @property
    def threshold(self) -> Tensor:
        """What a spike takes from the membrane, ``threshold / leak``, repeated to [T, C]."""
        if isinstance(self.leak, tuple):
            return self.firing_threshold / self._unit.new_tensor(self.leak) * self._unit
        return self._unit * (self.firing_threshold / self.leak)
