"""Containers of layers; ``graph`` looks through them."""

import torch
from torch import Tensor

from spikefold.nn.layers import Add


class Sequential(torch.nn.Sequential):
    """A chain of layers, called in order; as ``torch.nn.Sequential``."""


class Residual(torch.nn.Module):
    """Two roads from one input, added: ``body(x) + shortcut(x)``, or ``body(x) + x`` without a shortcut."""

    def __init__(self, body: torch.nn.Module, shortcut: torch.nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut
        self.add = Add()

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of the two roads."""
        total: Tensor = self.add(self.body(x), x if self.shortcut is None else self.shortcut(x))
        return total
