"""The golden model: the integer network in PyTorch, exact for every width (spec section 4)."""

from spikefold.golden.model import Golden, Run, accuracy, run

__all__ = ["Golden", "Run", "accuracy", "run"]
