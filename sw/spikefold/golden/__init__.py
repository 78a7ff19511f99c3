"""The golden model: the integer network in PyTorch, exact for every width (see docs/numerics.md)."""

from spikefold.golden.model import Golden, Run, accuracy, emitted, run

__all__ = ["Golden", "Run", "accuracy", "emitted", "run"]
