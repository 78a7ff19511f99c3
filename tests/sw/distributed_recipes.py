"""The runs of test_train_distributed.py, by name, as functions of the folder that holds the data."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from train_case import small_recipe

from spikefold.train import Recipe

_LENET = {"kind": "lenet", "width": 2, "norm": False}
_MIXED = {"shift": 1, "mixup": 0.5, "weight_bits": 4, "validation": 0.2, "keep_best": True}

plain = partial(small_recipe, model=_LENET, side=16, epochs=3, learning_rate=0.003)
normed = partial(small_recipe, model={"dropout": 0.1}, **_MIXED)
sgd = partial(small_recipe, optimizer="sgd")

RECIPES: dict[str, Callable[[Path], Recipe]] = {
    "plain": plain,
    "clipped": partial(plain, optimizer="sgd", clip_norm=0.05, loss="tet", batch_size=5),  # shares of 3 and 2
    "unequal": partial(plain, optimizer="sgd", learning_rate=0.02, batch_size=5),
    "normed": normed,
    "straight": sgd,
    "diverging": sgd,
    "resumed": sgd,
    "refusing": plain,
    "unready": plain,
    "few": partial(small_recipe, batch_size=2),
}
