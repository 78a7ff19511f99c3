"""Neurons with a scale of their own, set by the first batch of training."""

import math

import torch
from torch import Tensor

from spikefold.errors import ModelError
from spikefold.nn import checks
from spikefold.nn.functional import charge, from_log, min_max, step, three_sigma
from spikefold.nn.neurons.base import SpikingNeuron

INITS = {"three_sigma": three_sigma, "min_max": min_max}


class ScaledNeuron(SpikingNeuron):
    """A neuron whose levels are ``exp(log_scale)`` apart and worth; ``log_scale`` is [T or 1, C or 1].

    ``learn`` tells whether ``log_scale`` is trained. If not, it is a parameter without gradient: buffers
    could not be shared between neurons through conversions. ``initialised`` remembers that it was set.
    """

    initialised: Tensor

    def _start_scale(self, sets: int, per_channel: bool, learn: str, init: str | float) -> None:
        """Create ``log_scale`` for so many steps, and ``initialised``, which a constant ``init`` sets."""
        self.init = _checked_init(f"{type(self).__name__} init", init)
        value = 0.0 if isinstance(self.init, str) else math.log(self.init)
        start = torch.full((sets, self.channels if per_channel else 1), value)
        self.per_channel, self.learn = per_channel, learn
        self.log_scale = torch.nn.Parameter(start, requires_grad=learn == "scale")
        self.register_buffer("initialised", torch.tensor(not isinstance(self.init, str)))

    @property
    def scale(self) -> Tensor:
        """The scale [T, C]: a level is worth exactly its membrane distance."""
        log_scale = self.log_scale if self.learn == "scale" else self.log_scale.detach()
        return self._checked(self._subject, self._of_log(log_scale).expand(self.steps, self.channels))

    _subject = "scale"

    def _of_log(self, log_scale: Tensor) -> Tensor:
        return from_log(log_scale)

    def _prepare(self, current: Tensor) -> None:
        if not self.initialised:
            self._initialise(current)
            self.initialised.fill_(True)

    @torch.no_grad()
    def _initialise(self, current: Tensor) -> None:
        """Set ``log_scale`` step by step, each from the membranes of a batch that the ones before leave."""
        assert isinstance(self.init, str)
        dynamics, state = self._dynamics(current[0]), None
        for t in range(len(self.log_scale)):
            u = charge(current[t], state, dynamics)
            a = INITS[self.init](u, self.levels, per_channel=self.per_channel)
            self.log_scale[t] = a.log()
            a = self.scale[t].reshape(-1, *(1,) * (u.dim() - 2))
            _, state = step(current[t], state, a, dynamics)

    def _own_repr(self) -> tuple[str, ...]:
        init = self.init if isinstance(self.init, str) else f"{self.init:g}"
        return (f"per_channel={self.per_channel}", f"learn={self.learn}", f"init={init}")


def _checked_init(subject: str, value: object) -> str | float:
    if isinstance(value, str) and value in INITS:
        return value
    try:
        return checks.positive(subject, value)
    except ModelError as error:
        names = ", ".join(map(repr, INITS))
        raise ModelError(
            f"{subject} must be one of {names}, or a finite number above 0, not {value!r}"
        ) from error
