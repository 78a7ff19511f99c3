"""What all spiking neuron layers share: parameters, and the loop over time."""

import torch
from torch import Tensor

from spikefold.errors import InputError, ModelError
from spikefold.limits import claim_tensor
from spikefold.nn import checks
from spikefold.nn.functional import RESETS, ROUNDINGS, SURROGATES, Dynamics, State, step
from spikefold.nn.neurons.leak import Leak, complement, leak_of, leak_text, spread

MAX_LEVELS = 255


class SpikingNeuron(torch.nn.Module):
    """A population of neurons that emit ``scale * n``, level ``n`` in ``0..levels``, at every time step.

    Input and output have shape [T, B, channels, ...] with ``T == steps``. The membrane starts at 0 for every
    call and nothing is kept between calls. Subclasses give ``scale`` and, if it differs, ``threshold``.

    Parameters
    ----------
    channels : neurons (dense) or feature maps; axis 2 of the input.
    levels : D, the largest level, 1..255.
    steps : T, number of time steps, 1..1024.
    leak : factor of the membrane from one step to the next, 0..1: one number, or one for each channel (a
        sequence or tensor [C]). Kept as a number, or as a tuple where channels differ.
    rectify : lambda of the surrogate "rectified" (PIT Eq. 13), 0 for a plain rectangle.
    rounding : "half_up", "half_even" or "floor".
    reset : "subtract", "zero" or "none"; kept as ``reset_mode``.
    input_decay : whether the current is times ``1 - leak`` (``input_gain``; 1 without).
    surrogate : "rectified", "box", "arctan" or "relsg_et", see ``nn.functional.surrogates``.

    Raises
    ------
    ModelError
        On a parameter out of range, or when a scale or threshold is not finite and above 0.
    InputError
        From ``forward``, on a wrong shape.
    """

    factor: float | None = None
    """QB-LIF's ``1 - alpha``: present exactly where ``reset_mode`` is "scale"."""
    fire_floor: float | None = None
    """ReverB's ``V_th`` in membrane units, below which nothing fires."""

    def __init__(
        self,
        channels: int,
        levels: int,
        steps: int,
        leak: Leak,
        rectify: float = 0.0,
        rounding: str = "half_up",
        reset: str = "subtract",
        input_decay: bool = False,
        surrogate: str = "rectified",
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.channels = checks.integer(f"{name} channels", channels, 1)
        self.levels = checks.integer(f"{name} levels (D)", levels, 1, MAX_LEVELS)
        self.steps = checks.steps(name, steps)
        claim_tensor(f"{name} scale", (steps, channels))
        self.leak = leak_of(name, leak, self.channels)
        self.rectify = checks.number(f"{name} rectify", rectify, 0)
        self.rounding = checks.choice(f"{name} rounding", rounding, ROUNDINGS)
        self.reset_mode = checks.choice(f"{name} reset", reset, RESETS)
        self.input_decay = checks.boolean(f"{name} input_decay", input_decay)
        self.input_gain = complement(self.leak) if self.input_decay else 1.0
        self.surrogate = checks.choice(f"{name} surrogate", surrogate, SURROGATES)

    @property
    def scale(self) -> Tensor:
        """Real value of one emitted level, [T, C], finite and positive."""
        raise NotImplementedError

    @property
    def threshold(self) -> Tensor:
        """Membrane distance between two levels, [T, C], finite and positive; the scale unless overridden."""
        return self.scale

    def forward(self, current: Tensor) -> Tensor:
        """Run T steps over ``current`` [T, B, channels, ...] and return the emitted values, same shape."""
        self._check_shape(current)
        if self.training:
            self._prepare(current)
        threshold = _broadcast(self.threshold, current)
        scale = None if self._one_value() else _broadcast(self.scale, current)
        current = current.to(torch.promote_types(current.dtype, threshold.dtype))
        state: State | None = None
        currents = (current.squeeze(0),) if self.steps == 1 else current.unbind()
        dynamics = self._dynamics(currents[0])
        emitted = []
        for t in range(self.steps):
            s, state = step(currents[t], state, threshold[t], dynamics, None if scale is None else scale[t])
            emitted.append(s)
        return emitted[0][None] if self.steps == 1 else torch.stack(emitted)

    def extra_repr(self) -> str:
        """Show the parameters in the module's printed form."""
        parts = [f"{self.channels}, {self._levels_repr()}, steps={self.steps}, leak={leak_text(self.leak)}"]
        parts += [f"reset={self.reset_mode}"]
        parts += [f"surrogate={self.surrogate}"] * (self.surrogate in SURROGATES)
        parts += [f"rectify={self.rectify:g}"] * (self.surrogate == "rectified")
        parts += ["rounding=half_even"] * (self.rounding == "half_even")
        parts += ["input_decay=True"] * self.input_decay
        return ", ".join([*parts, *self._own_repr()])

    def _levels_repr(self) -> str:
        return f"levels={self.levels}"

    def _own_repr(self) -> tuple[str, ...]:
        """Further parameters to show."""
        return ()

    def _prepare(self, current: Tensor) -> None:
        """Set what is set by the first batch; called in training mode only."""

    def _dynamics(self, like: Tensor) -> Dynamics:
        """Constants for currents of a step ``like`` [B, C, ...]."""
        return Dynamics(
            levels=self.levels,
            leak=spread(self.leak, like),
            rounding=self.rounding,
            reset=self.reset_mode,
            input_gain=spread(self.input_gain, like),
            factor=self.factor,
            fire_floor=self.fire_floor,
            surrogate=self.surrogate,
            rectify=self.rectify,
        )

    def _one_value(self) -> bool:
        """Whether ``threshold`` and ``scale`` are one value by construction."""
        return type(self).threshold is SpikingNeuron.threshold

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


def _broadcast(values: Tensor, current: Tensor) -> Tensor:
    """Shape [T, C] to broadcast, step by step, over ``current[t]`` [B, C, ...]."""
    return values.reshape(*values.shape, *(1,) * (current.dim() - 3))
