"""Training: recipes, data sets and a resumable, deterministic trainer."""

from spikefold.train.data import Dataset, load_data
from spikefold.train.quantization import fake_quantized
from spikefold.train.recipe import DataOptions, ModelOptions, Recipe, TrainingOptions
from spikefold.train.trainer import TrainResult, accuracy, train

__all__ = [
    "DataOptions",
    "Dataset",
    "ModelOptions",
    "Recipe",
    "TrainResult",
    "TrainingOptions",
    "accuracy",
    "fake_quantized",
    "load_data",
    "train",
]
