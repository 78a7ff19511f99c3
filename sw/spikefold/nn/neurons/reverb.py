"""The neuron of reversed bits: graded spikes for binary weights."""

import torch
from torch import Tensor

from spikefold.nn import checks
from spikefold.nn.functional import charge, from_log, upper_three_sigma
from spikefold.nn.neurons.base import SpikingNeuron
from spikefold.nn.neurons.leak import Leak

ALPHAS = ("none", "layer", "channel")
MAX_BITS = 8


class ReverB(SpikingNeuron):
    """Neuron with graded spikes (ReverB Eq. 4, 5, 18); input and output [T, B, C, ...].

    ``u = leak * v + x``. Where ``u >= V_th`` the neuron fires: it emits ``alpha * u``, rounded down to a
    multiple of ``lsb`` and at most ``(2^bits - 1) * lsb``, and ``v`` is 0; elsewhere it emits 0 and
    ``v = u``. It counts as fired even where the level is 0.

    Gradients (Eq. 11, 14, 15): with the window ``w = 1`` where ``u >= V_th`` and
    ``0 <= alpha * u <= D * lsb`` (straight-through), else 0, the output's are ``alpha * w`` for ``u``,
    ``level - (alpha * u / lsb) * w`` for ``lsb`` and ``u * w`` for ``alpha``; ``dv/du`` is 1 where it did not
    fire, else 0. What decides that a neuron fires is not differentiated.

    Parameters
    ----------
    channels, steps : as in ``SpikingNeuron``.
    bits : B, 1..8, levels are ``0..2^B - 1``; None for the paper's real-valued spikes ``alpha * u``, which
        can be trained but not folded (``levels`` is None).
    leak : the paper's tau, 0..1, one number or one for each channel.
    threshold : ``V_th``, in units of the membrane, any finite number; kept as ``fire_floor``.
    alpha : "none", or a trained factor per "layer" or "channel" (Eq. 18): ``exp(log_alpha)``, [1] or [C], 1
        at the start.
    learn : "scale" trains ``lsb = exp(log_step)`` [1], "none" does not. The first batch in training mode sets
        it, so that the levels span 0 to mean + 3 sigma of ``alpha * u`` over all channels at the first step.

    Raises
    ------
    ModelError
        On a parameter out of range, or when ``lsb`` or alpha is not finite and above 0.
    """

    log_alpha: torch.nn.Parameter | None
    log_step: torch.nn.Parameter | None
    initialised: Tensor
    _unit: Tensor

    def __init__(
        self,
        channels: int,
        bits: int | None = 4,
        steps: int = 1,
        leak: Leak = 0.25,
        threshold: float = 0.0,
        alpha: str = "none",
        learn: str = "scale",
    ) -> None:
        bits = None if bits is None else checks.integer("ReverB bits", bits, 1, MAX_BITS)
        super().__init__(channels, 2 ** (bits or 1) - 1, steps, leak, 0.0, "floor", "zero")
        self.bits, self.surrogate = bits, "clip"
        if bits is None:
            self.levels = None  # type: ignore[assignment]  # whatever needs levels refuses the neuron
        self.fire_floor = checks.number("ReverB threshold (V_th)", threshold)
        self.learn = checks.choice("ReverB learn", learn, ("scale", "none"))
        self.alpha_mode = checks.choice("ReverB alpha", alpha, ALPHAS)
        count = {"none": None, "layer": 1, "channel": channels}[alpha]
        log_alpha = None if count is None else torch.nn.Parameter(torch.zeros(count))
        log_step = None if bits is None else torch.nn.Parameter(torch.zeros(1), learn == "scale")
        self.register_parameter("log_alpha", log_alpha)
        self.register_parameter("log_step", log_step)
        self.register_buffer("initialised", torch.tensor(bits is None))
        self.register_buffer("_unit", torch.ones(steps, channels), persistent=False)

    @property
    def alpha(self) -> Tensor:
        """The factor of the membrane, [C], finite and positive; ones with alpha "none"."""
        if self.log_alpha is None:
            return self._unit[0]
        return self._checked("alpha", from_log(self.log_alpha).expand(1, self.channels))[0]

    @property
    def scale(self) -> Tensor:
        """``lsb``, [T, C]: what a level is worth; without bits alpha, the worth of a unit of the membrane."""
        if self.log_step is None:
            return self.alpha.expand(self.steps, -1)
        log_step = self.log_step if self.learn == "scale" else self.log_step.detach()
        return self._checked("lsb", from_log(log_step).expand(self.steps, self.channels))

    @property
    def threshold(self) -> Tensor:
        """``lsb / alpha``, [T, C]; without bits ones."""
        return self._unit if self.log_step is None else self.scale / self.alpha

    @torch.no_grad()
    def multiply_alpha(self, factor: Tensor) -> None:
        """Multiply alpha by a factor above 0, [1] or [C] (Eq. 18): what a learned weight amplitude becomes.

        Alpha "none" or "layer" becomes "layer" if the factor is one for all channels, else "channel".
        """
        factor = self._checked("alpha", (self.alpha * factor.to(self._unit))[None])[0]
        uniform = self.alpha_mode != "channel" and bool((factor == factor[0]).all())
        self.alpha_mode = "layer" if uniform else "channel"
        self.log_alpha = torch.nn.Parameter(factor[:1].log() if uniform else factor.log())

    def _one_value(self) -> bool:
        return self.log_alpha is None and type(self).threshold is ReverB.threshold

    @torch.no_grad()
    def _prepare(self, current: Tensor) -> None:
        if not self.initialised:
            u = charge(current[0], None, self._dynamics(current[0]))
            alpha = self.alpha.reshape(-1, *(1,) * (u.dim() - 2))
            assert self.log_step is not None  # without bits it is initialised from the start
            self.log_step.copy_(upper_three_sigma(alpha * u, self.levels).log())
            self.initialised.fill_(True)

    def _levels_repr(self) -> str:
        return f"bits={self.bits}"

    def _own_repr(self) -> tuple[str, ...]:
        return (f"threshold={self.fire_floor:g}", f"alpha={self.alpha_mode}", f"learn={self.learn}")
