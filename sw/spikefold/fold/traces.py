"""Which trained tensors folded weights were made of, for training with rounded weights."""

from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True)
class Origin:
    """Where a scale comes from: that of a neuron or the input, times gains of batch norms, over `divisor`."""

    emitter: torch.nn.Module
    norms: tuple[torch.nn.Module, ...] = ()
    divisor: int = 1

    def normed(self, layer: torch.nn.Module) -> "Origin":
        """After a batch norm of spikes."""
        return replace(self, norms=(*self.norms, layer))


@dataclass(frozen=True)
class Trace:
    """What weights were made of.

    `W~ = gain · gains · W · scale / divisor`, the gains of batch norms in eval mode.

    Attributes
    ----------
    origins
        Where the scale of the levels comes from; several where equal scales were added up.
    layer
        The dense layer or convolution that holds `W`; None for an identity, whose `W` is 1.
    norms
        Batch norms behind it, one gain per target.
    divisor
        Positions of the windows whose averages are taken.
    overlaps
        Whether a weight is the sum of several elements of `W`, where pools were composed into it.
    gain
        Product of constants: what a neuron with input decay takes of its currents.
    """

    origins: tuple[Origin, ...]
    layer: torch.nn.Module | None = None
    norms: tuple[torch.nn.Module, ...] = ()
    divisor: int = 1
    overlaps: bool = False
    gain: float = 1.0

    def normed(self, layer: torch.nn.Module) -> "Trace":
        """After a batch norm of currents."""
        return replace(self, norms=(*self.norms, layer))

    def averaged(self, positions: int, overlaps: bool) -> "Trace":
        """After an average over so many positions, in the weights."""
        return replace(self, divisor=self.divisor * positions, overlaps=self.overlaps or overlaps)

    def scaled(self, gain: float) -> "Trace":
        """After a constant factor."""
        return replace(self, gain=self.gain * gain)
