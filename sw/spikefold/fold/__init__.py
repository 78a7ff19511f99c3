"""Fold a trained model, as docs/numerics.md ("Fold") has it: scales into weights, biases and thresholds."""

from spikefold.fold.composition import Pooling
from spikefold.fold.folded import (
    FoldedConv,
    FoldedDense,
    FoldedIdentity,
    FoldedNetwork,
    FoldedNeuron,
    FoldedPopulation,
    FoldedProjection,
)
from spikefold.fold.walk import fold

__all__ = [
    "FoldedConv",
    "FoldedDense",
    "FoldedIdentity",
    "FoldedNetwork",
    "FoldedNeuron",
    "FoldedPopulation",
    "FoldedProjection",
    "Pooling",
    "fold",
]
