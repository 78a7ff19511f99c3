"""Spiking neuron layers: PIT, I-LIF and LIF, one code path over time."""

import torch
from torch import Tensor

from spikefold.errors import InputError, ModelError
from spikefold.nn import checks
from spikefold.nn.functional import RESETS, ROUNDINGS, charge, discharge, pit_step, three_sigma

MAX_LEVELS = 255


class SpikingNeuron(torch.nn.Module):
    """A population of neurons that emit ``scale * n``, level ``n`` in ``0..levels``, at every time step.

    Input and output have shape [T, B, channels, ...] with ``T == steps``; the membrane starts at 0 for
    every sample. Subclasses give ``threshold`` and ``scale``; everything else is shared.

    Parameters
    ----------
    channels : neurons (dense) or feature maps; axis 2 of the input.
    levels : D, the largest level, 1..255.
    steps : T, number of time steps.
    leak : factor of the membrane from one step to the next, 0..1.
    rectify : lambda of the rectified rounding gradient (Eq. 13), 0 for a plain rectangle.
    rounding : "half_up" or "floor".
    reset : "subtract", "zero" or "none".

    Raises
    ------
    ModelError
        On a parameter out of range, or when a scale or threshold is not finite and above 0.
    """

    def __init__(
        self,
        channels: int,
        levels: int,
        steps: int,
        leak: float,
        rectify: float = 0.0,
        rounding: str = "half_up",
        reset: str = "subtract",
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.channels = checks.integer(f"{name} channels", channels, 1)
        self.levels = checks.integer(f"{name} levels (D)", levels, 1, MAX_LEVELS)
        self.steps = checks.integer(f"{name} steps (T)", steps, 1)
        self.leak = checks.number(f"{name} leak", leak, 0, 1)
        self.rectify = checks.number(f"{name} rectify", rectify, 0)
        self.rounding = checks.choice(f"{name} rounding", rounding, ROUNDINGS)
        self.reset = checks.choice(f"{name} reset", reset, RESETS)

    @property
    def threshold(self) -> Tensor:
        """Membrane distance between two levels, [T, C], finite and positive."""
        raise NotImplementedError

    @property
    def scale(self) -> Tensor:
        """Real value of one emitted level, [T, C], finite and positive; the threshold unless overridden."""
        return self.threshold

    def forward(self, current: Tensor) -> Tensor:
        """Run T steps over ``current`` [T, B, channels, ...] and return the emitted values, same shape."""
        self._check_shape(current)
        v = torch.zeros_like(current[0])
        emitted = []
        for t in range(self.steps):
            u = charge(current[t], v, self.leak)
            a = self._threshold_at(t, u)
            s = pit_step(u, a, self.levels, self.rectify, self.rounding)
            v = discharge(u, s, self.reset)
            emitted.append(self._emit(s, a))
        return torch.stack(emitted)

    def extra_repr(self) -> str:
        """Show the parameters in the module's printed form."""
        dynamics = f"leak={self.leak:g}, reset={self.reset}, rectify={self.rectify:g}"
        return f"{self.channels}, levels={self.levels}, steps={self.steps}, {dynamics}"

    def _threshold_at(self, t: int, u: Tensor) -> Tensor:
        """Return the thresholds of step ``t``, shaped to broadcast over ``u`` [B, C, ...]."""
        return self.threshold[t].reshape(-1, *(1,) * (u.dim() - 2))

    def _emit(self, s: Tensor, a: Tensor) -> Tensor:
        """Turn ``a * n`` into the emitted value ``scale * n``."""
        return s

    def _check_shape(self, current: Tensor) -> None:
        shape = tuple(current.shape)
        if current.dim() < 3 or shape[0] != self.steps or shape[2] != self.channels:
            wanted = f"[{self.steps}, batch, {self.channels}, ...] (time, batch, channels)"
            raise InputError(f"{type(self).__name__} input must have shape {wanted}, not {list(shape)}")

    def _checked(self, subject: str, value: Tensor) -> Tensor:
        with torch.no_grad():
            bad = ~(torch.isfinite(value) & (value > 0))
        if bool(bad.any()):
            t, c = (int(i) for i in bad.nonzero()[0])
            raise ModelError(
                f"{type(self).__name__} {subject} must be finite and above 0, "
                f"not {value[t, c].item()!r} (step {t}, channel {c}); train the model again or mend its file"
            )
        return value


class PIT(SpikingNeuron):
    """Parametric invertible transformation neuron (PIT Eq. 9-11), one trained scale per step and channel.

    The scale ``a`` is ``exp(log_scale)``, positive by construction; ``log_scale`` [T, C] is what the state
    dict holds. The first batch seen in training mode sets it by the 3-sigma rule (Eq. 12), step by step;
    ``initialised`` remembers that. Gradients follow Eq. 30 and 32. With ``per_step=False`` one scale per
    channel, set at the first step, serves all steps and ``log_scale`` is [1, C].
    """

    def __init__(
        self,
        channels: int,
        levels: int = 4,
        steps: int = 1,
        leak: float = 0.5,
        rectify: float = 0.01,
        reset: str = "subtract",
        per_step: bool = True,
    ) -> None:
        super().__init__(channels, levels, steps, leak, rectify, "half_up", reset)
        if not isinstance(per_step, bool):
            raise ModelError(f"PIT per_step must be True or False, not {per_step!r}")
        self.per_step = per_step
        self.log_scale = torch.nn.Parameter(torch.zeros(steps if per_step else 1, channels))
        self.register_buffer("initialised", torch.tensor(False))
        self._tied: tuple[PIT, ...] = ()

    @property
    def tied(self) -> "tuple[PIT, ...]":
        """The neurons that share ``log_scale`` with this one, itself among them; see ``tie_scales``."""
        return self._tied or (self,)

    @property
    def threshold(self) -> Tensor:
        """The scale ``a`` [T, C]: a PIT level is worth exactly its membrane distance."""
        return self._checked("scale a", self.log_scale.exp().expand(self.steps, -1))

    def forward(self, current: Tensor) -> Tensor:
        """Run T steps over ``current`` [T, B, channels, ...]; the first training batch sets the scales."""
        emitted = super().forward(current)
        if self.training and not self.initialised:
            for neuron in self.tied:
                neuron.initialised.fill_(True)
        return emitted

    def _threshold_at(self, t: int, u: Tensor) -> Tensor:
        if self.training and not self.initialised and t < len(self.log_scale):
            with torch.no_grad():
                self.log_scale[t] = three_sigma(u, self.levels).log()
        return super()._threshold_at(t, u)


def tie_scales(*neurons: PIT) -> None:
    """Let PIT neurons share one ``log_scale``, that of the first, and with it those they are tied to already.

    The sum of their outputs is then one source again: levels up to the sum of their ``levels``, in one
    scale. The first training batch sets the scale once, from the first of them to run.

    Raises
    ------
    ModelError
        If fewer than two neurons are given, or they are not PIT neurons with equal channels, steps and
        ``per_step``.
    """
    group = tuple(dict.fromkeys(tied for neuron in neurons for tied in _pit(neuron).tied))
    if len(group) < 2:
        raise ModelError(f"Tied neurons must be at least 2 different ones, not {len(group)}")
    first = group[0]
    for neuron in group:
        got, wanted = ((n.channels, n.steps, n.per_step) for n in (neuron, first))
        if got != wanted:
            raise ModelError(
                f"Tied neurons must agree in (channels, steps, per_step), not {wanted} and {got}"
            )
    for neuron in group:
        neuron.log_scale = first.log_scale
        neuron.initialised.copy_(first.initialised)
        neuron._tied = group


def _pit(neuron: object) -> PIT:
    if not isinstance(neuron, PIT):
        raise ModelError(
            f"Tied neurons must be PIT, not {type(neuron).__name__}; the scales of others are equal anyway"
        )
    return neuron


class ILIF(SpikingNeuron):
    """Integer leaky integrate-and-fire neuron (PIT Eq. 8): a PIT neuron whose scale is fixed at 1."""

    def __init__(
        self,
        channels: int,
        levels: int = 4,
        steps: int = 1,
        leak: float = 0.5,
        rectify: float = 0.0,
        reset: str = "subtract",
    ) -> None:
        super().__init__(channels, levels, steps, leak, rectify, "half_up", reset)
        self.register_buffer("_unit", torch.ones(steps, channels), persistent=False)

    @property
    def threshold(self) -> Tensor:
        """Ones, [T, C]."""
        return self._unit


class LIF(SpikingNeuron):
    """Leaky integrate-and-fire neuron (PIT Eq. 1-3): emits 1 where ``u >= threshold``, else 0.

    D = 1 and no rounding up; the reset subtracts the threshold. The emitted value of a spike is 1 whatever
    the threshold, so ``scale`` is 1 and ``threshold`` is the given number.
    """

    def __init__(
        self,
        channels: int,
        threshold: float = 1.0,
        steps: int = 1,
        leak: float = 0.5,
        rectify: float = 0.0,
        reset: str = "subtract",
    ) -> None:
        super().__init__(channels, 1, steps, leak, rectify, "floor", reset)
        self.firing_threshold = checks.positive("LIF threshold", threshold)
        self.register_buffer("_unit", torch.ones(steps, channels), persistent=False)

    @property
    def threshold(self) -> Tensor:
        """The firing threshold repeated to [T, C]."""
        return self._unit * self.firing_threshold

    @property
    def scale(self) -> Tensor:
        """Ones, [T, C]: the real value of a spike (Eq. 2)."""
        return self._unit

    def _emit(self, s: Tensor, a: Tensor) -> Tensor:
        return s / a
