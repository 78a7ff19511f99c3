"""Neurons whose levels are whole numbers: thresholds and scales are constants."""

import torch
from torch import Tensor

from spikefold.nn import checks
from spikefold.nn.neurons.base import SpikingNeuron
from spikefold.nn.neurons.leak import Leak


class ConstantNeuron(SpikingNeuron):
    """A neuron that emits its level itself, ``threshold`` of the membrane apart; parameters as its base's."""

    _unit: Tensor

    def __init__(
        self,
        threshold: float,
        channels: int,
        levels: int,
        steps: int,
        leak: Leak,
        rectify: float,
        rounding: str,
        reset: str,
        input_decay: bool,
        surrogate: str,
    ) -> None:
        super().__init__(channels, levels, steps, leak, rectify, rounding, reset, input_decay, surrogate)
        self.firing_threshold = checks.positive(f"{type(self).__name__} threshold", threshold)
        self.register_buffer("_unit", torch.ones(steps, channels), persistent=False)

    @property
    def threshold(self) -> Tensor:
        """The firing threshold repeated to [T, C]."""
        return self._unit * self.firing_threshold

    @property
    def scale(self) -> Tensor:
        """Ones, [T, C]: the real value of one level."""
        return self._unit

    def _one_value(self) -> bool:
        return self.firing_threshold == 1 and type(self).threshold is ConstantNeuron.threshold

    def _own_repr(self) -> tuple[str, ...]:
        return (f"threshold={self.firing_threshold:g}",)
