"""The quantized burst neuron."""

from spikefold.nn import checks
from spikefold.nn.neurons.leak import Leak
from spikefold.nn.neurons.scaled import ScaledNeuron


class QBLIF(ScaledNeuron):
    """Quantized burst leaky integrate-and-fire neuron (QB-LIF Eq. 2, 8, 9); input and output [T, B, C, ...].

    ``u = (leak * v + x) * (1 - alpha * [fired in the step before])``, emitted ``gamma * n`` with
    ``n = clip(floor(u / gamma), 0, Nmax)``, and ``v = u``. The scale gamma is ``exp(log_scale)``, [1, 1] or
    [1, C]. The gradient of ``u`` is the surrogate's ``g`` (Eq. 12), taken as ``dS/dU``; that of gamma is
    ``n - (u / gamma) * g``. What decides that it fired is not differentiated. ``levels=1`` with "box" or
    "arctan" is the binary neuron the paper compares with.

    Parameters
    ----------
    channels, steps : as in ``SpikingNeuron``.
    levels : Nmax, 1..255.
    leak : the paper's beta, 0..1, one number or one for each channel.
    reset_factor : the paper's alpha, 0..1; ``factor`` is 1 - alpha.
    surrogate : "relsg_et" (Eq. 12), "box", "arctan" or "rectified" (here without its lambda, so "box").
    init : the number gamma starts from, or "three_sigma" or "min_max" of the first batch's first step as in
        ``functional.three_sigma`` and ``min_max``.
    per_channel : one gamma per channel instead of one for all.
    learn : "scale" trains ``log_scale``, "none" does not.

    Raises
    ------
    ModelError
        On a parameter out of range, or when gamma is not finite and above 0.
    """

    _subject = "scale gamma"

    def __init__(
        self,
        channels: int,
        levels: int = 20,
        steps: int = 1,
        leak: Leak = 0.5,
        reset_factor: float = 0.5,
        surrogate: str = "relsg_et",
        init: str | float = 1.0,
        per_channel: bool = False,
        learn: str = "scale",
    ) -> None:
        super().__init__(channels, levels, steps, leak, rounding="floor", surrogate=surrogate)
        self.reset_mode = "scale"
        self.reset_factor = checks.number("QBLIF reset_factor (alpha)", reset_factor, 0, 1)
        self.factor = 1 - self.reset_factor
        per_channel = checks.boolean("QBLIF per_channel", per_channel)
        self._start_scale(1, per_channel, checks.choice("QBLIF learn", learn, ("scale", "none")), init)

    def _own_repr(self) -> tuple[str, ...]:
        return (f"reset_factor={self.reset_factor:g}", *super()._own_repr())
