"""Training: recipes, data sets and a resumable, deterministic trainer."""

from spikefold.train.data import Dataset, load_data
from spikefold.train.evaluation import accuracy
from spikefold.train.options import DataOptions, ModelOptions, TrainingOptions
from spikefold.train.quantization import fake_quantized
from spikefold.train.recipe import Recipe
from spikefold.train.trainer import TrainResult, train

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
