"""Fold a trained model: every learned scale into weights, biases and thresholds (spec section 2)."""

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
