"""The parametric invertible transformation neuron, and sums of its spikes."""

import torch
from torch import Tensor

from spikefold.errors import ModelError
from spikefold.nn import checks
from spikefold.nn.functional import FLOOR, NEAREST, from_log
from spikefold.nn.neurons.leak import Leak
from spikefold.nn.neurons.scaled import ScaledNeuron

LEARN = ("scale", "factor", "none")


class PIT(ScaledNeuron):
    """Parametric invertible transformation neuron (PIT Eq. 9-11), by default one scale per step and channel.

    The scale ``a`` is ``exp(log_scale)``, positive by construction. The first batch seen in training mode
    sets it step by step (Eq. 12); gradients follow Eq. 30 and 32. Input and output [T, B, C, ...].

    Parameters
    ----------
    channels, levels, steps, leak, rectify, reset, input_decay, surrogate : as in ``SpikingNeuron``.
    per_step : one scale per time step; else one, set at the first step, serves all steps.
    per_channel : one scale per channel; else one for all of them. ``log_scale`` is [T or 1, C or 1].
    learn : "scale" trains ``log_scale``. "factor" sets it once, as the authors' program does, and trains a
        factor per step, or one if not ``per_step``: ``a = max(exp(log_scale + log_factor), 1e-3)`` with
        ``log_factor`` [T or 1] starting at 0. "none" trains neither.
    init : "three_sigma" (Eq. 12), "min_max" (``max |u| / D``), or the number every scale starts from.
    rounding : of ties, "half_up", or "half_even" as in the authors' program.

    Raises
    ------
    ModelError
        On a parameter out of range, or when a scale is not finite and above 0.
    """

    log_factor: torch.nn.Parameter | None
    _subject = "scale a"

    def __init__(
        self,
        channels: int,
        levels: int = 4,
        steps: int = 1,
        leak: Leak = 0.5,
        rectify: float = 0.01,
        reset: str = "subtract",
        per_step: bool = True,
        per_channel: bool = True,
        learn: str = "scale",
        init: str | float = "three_sigma",
        input_decay: bool = False,
        surrogate: str = "rectified",
        rounding: str = "half_up",
    ) -> None:
        checks.choice("PIT rounding", rounding, NEAREST)
        super().__init__(channels, levels, steps, leak, rectify, rounding, reset, input_decay, surrogate)
        self.per_step = checks.boolean("PIT per_step", per_step)
        per_channel = checks.boolean("PIT per_channel", per_channel)
        sets = steps if per_step else 1
        self._start_scale(sets, per_channel, checks.choice("PIT learn", learn, LEARN), init)
        factor = torch.nn.Parameter(torch.zeros(sets)) if learn == "factor" else None
        self.register_parameter("log_factor", factor)
        self._tied: tuple[PIT, ...] = ()

    @property
    def tied(self) -> "tuple[PIT, ...]":
        """The neurons that share their scales with this one, itself among them; see ``tie_scales``."""
        return self._tied or (self,)

    def _of_log(self, log_scale: Tensor) -> Tensor:
        if self.log_factor is None:
            return from_log(log_scale)
        return from_log(log_scale + self.log_factor[:, None]).clamp_min(FLOOR)

    def _prepare(self, current: Tensor) -> None:
        super()._prepare(current)
        for neuron in self._tied:
            neuron.initialised.copy_(self.initialised)

    def _own_repr(self) -> tuple[str, ...]:
        return (f"per_step={self.per_step}", *super()._own_repr())


def tie_scales(*neurons: torch.nn.Module) -> None:
    """Let PIT neurons share one scale, that of the first, and with it those they are tied to already.

    The sum of their outputs is then one source again: levels up to the sum of their ``levels``, in one
    scale. The first training batch sets the scale once, from the first of them to run.

    Raises
    ------
    ModelError
        If fewer than two neurons are given, or they are not PIT neurons with equal channels, steps,
        ``per_step``, ``per_channel`` and ``learn``.
    """
    group = tuple(dict.fromkeys(tied for neuron in neurons for tied in _pit(neuron).tied))
    if len(group) < 2:
        raise ModelError(f"Tied neurons must be at least 2 different ones, not {len(group)}")
    first = group[0]
    for neuron in group:
        got, wanted = ((n.channels, n.steps, n.per_step, n.per_channel, n.learn) for n in (neuron, first))
        if got != wanted:
            raise ModelError(
                "Tied neurons must agree in (channels, steps, per_step, per_channel, learn), "
                f"not {wanted} and {got}"
            )
    for neuron in group:
        neuron.log_scale = first.log_scale
        neuron.log_factor = first.log_factor
        neuron.initialised.copy_(first.initialised)
        neuron._tied = group


def _pit(neuron: object) -> PIT:
    if not isinstance(neuron, PIT):
        raise ModelError(
            f"Tied neurons must be PIT, not {type(neuron).__name__}; I-LIF and LIF levels are worth 1 anyway"
        )
    return neuron
