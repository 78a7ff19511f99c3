"""Fold a trained model: every learned scale into weights, biases and thresholds (spec section 2)."""

from spikefold.fold.chain import fold
from spikefold.fold.folded import FoldedNetwork, FoldedNeuron, FoldedPopulation, FoldedProjection

__all__ = ["FoldedNetwork", "FoldedNeuron", "FoldedPopulation", "FoldedProjection", "fold"]
