"""What rounding costs without training: a network for a table of 26 classes, at 2 to 8 bits.

    python bench/rounding.py [--json] [--seeds 5] [--data npz:FILE]

No package that spikefold installs ships a table of 26 classes, so scikit-learn's `make_classification` makes
one: 8000 rows of 16 features in 16 levels, about as hard as the table of letters whose features have as many.
"""

import argparse
import logging
import sys
import time
from typing import Any

import numpy as np
import torch
from figures import show
from sklearn.datasets import make_classification

import spikefold
from spikefold import nn
from spikefold.train import Dataset, load_data
from spikefold.train import accuracy as float_accuracy

FEATURES, CLASSES, HIDDEN = 16, 26, 64
TRAINED_ON = 6000
BITS = (2, 3, 4, 5, 6, 8)
METHODS = ("max", "mse", "fit")
TARGETS = {"loss_4bit": "<= 2", "loss_4bit_max": ">= 4", "loss_8bit_fit": "<= 0.5"}


def table(seed: int) -> Dataset:
    """The seeded table, features 0..15."""
    x, y = make_classification(
        8000,
        FEATURES,
        n_informative=12,
        n_redundant=4,
        n_classes=CLASSES,
        n_clusters_per_class=1,
        class_sep=1.5,
        flip_y=0.0,
        random_state=seed,
    )
    low, high = np.percentile(x[:TRAINED_ON], [1, 99], axis=0)
    x = np.clip(np.round((x - low) / (high - low) * 15), 0, 15).astype(np.float32)
    parts = (x[:TRAINED_ON], y[:TRAINED_ON], x[TRAINED_ON:], y[TRAINED_ON:])
    return Dataset(*parts, maximum=15.0, classes=CLASSES, name="table")


def trained(data: Dataset, seed: int, epochs: int = 30) -> nn.Sequential:
    """A network of one hidden layer, D = 4, trained without any rounding of weights."""
    torch.manual_seed(seed)
    (features,) = data.feature_shape
    model = nn.Sequential(
        nn.Input((features,), levels=15, minimum=data.minimum, maximum=data.maximum),
        nn.Dense(features, HIDDEN, bias=False),
        nn.BatchNorm(HIDDEN),
        nn.PIT(HIDDEN, levels=4),
        nn.Dense(HIDDEN, data.classes),
        nn.Readout(),
    )
    x, y = torch.from_numpy(data.train_x[:]), torch.from_numpy(data.train_y)
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3, weight_decay=0.01)
    batches = -(-len(x) // 128)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * batches)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(128):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def losses(data: Dataset, model: nn.Sequential) -> dict[str, list[float]]:
    """Points of accuracy lost on the test part, by method, for each of `BITS`."""
    exact = 100 * float_accuracy(model, data.test_x, data.test_y)
    found: dict[str, list[float]] = {method: [] for method in METHODS}
    for method in METHODS:
        for bits in BITS:
            design = spikefold.compile(
                model,
                weight_bits=bits,
                method=method,
                data=(data.test_x, data.test_y),
                calibration=data.train_x,
            )
            found[method].append(round(exact - design.info["accuracy_integer"], 2))
    return found


def run(seeds: int, name: str | None) -> dict[str, Any]:
    began, accuracies, runs = time.perf_counter(), [], []
    for seed in range(seeds):
        data = table(seed) if name is None else load_data(name)
        model = trained(data, seed)
        accuracies.append(round(100 * float_accuracy(model, data.test_x, data.test_y), 2))
        runs.append(losses(data, model))
        print(f"seed {seed}: float {accuracies[-1]} %, lost {runs[-1]}", file=sys.stderr, flush=True)
    every = {
        f"loss_{bits}bit_{method}": round(float(np.mean([one[method][k] for one in runs])), 2)
        for k, bits in enumerate(BITS)
        for method in METHODS
    }
    return {
        "accuracy_float": round(float(np.mean(accuracies)), 2),
        "loss_4bit": every["loss_4bit_fit"],
        "loss_4bit_worst": max(one["fit"][BITS.index(4)] for one in runs),
        **every,
        "networks": seeds,
        "seconds": round(time.perf_counter() - began, 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--seeds", type=int, default=5, help="tables and networks to average over")
    parser.add_argument("--data", help="a data set of recipes in place of the seeded table")
    chosen = parser.parse_args()
    logging.getLogger("spikefold").setLevel(logging.ERROR)  # what is lost is what is measured here
    show("rounding without training", run(chosen.seeds, chosen.data), TARGETS, chosen.json)
