"""Small runs for the tests of training."""

from pathlib import Path

import numpy as np

from spikefold.train import Recipe, TrainResult, train


def image_file(folder: Path, side: int = 8, samples: int = 96) -> str:
    """Write images whose class is the quarter with the largest sum, once; return the data set's name."""
    path = folder / f"images{side}.npz"
    if not path.exists():
        rng = np.random.default_rng(0)
        x, y, half = rng.random((samples, 1, side, side)), np.arange(samples) % 4, side // 2
        for image, label in zip(x, y, strict=True):
            image[0, half * (label // 2) :, :][:half, half * (label % 2) :][:, :half] += 0.7
        np.savez(path, x_train=x, y_train=y, x_test=x[::2], y_test=y[::2])
    return f"npz:{path}"


def small_recipe(folder: Path, model: dict | None = None, side: int = 8, **training: object) -> Recipe:
    """Return a recipe of a few epochs on the images of ``image_file``, with a small CNN unless told."""
    options = {"epochs": 4, "batch_size": 32, "learning_rate": 0.02} | training
    model = {"kind": "cnn", "levels": 2, "steps": 2} | (model or {})
    if model["kind"] == "cnn":
        model = {"channels": [3]} | model
    data = {"name": image_file(folder, side)}
    return Recipe.from_dict({"data": data, "model": model, "training": options})


def run(recipe: Recipe, output: Path, **options: object) -> TrainResult:
    """Train without a bar."""
    return train(recipe, output, progress=False, **options)


def stop_after(epoch: int) -> object:
    """Return an ``on_epoch`` that stops a run as Ctrl-C does."""

    def on_epoch(done: int, loss: float) -> None:
        if done == epoch:
            raise KeyboardInterrupt

    return on_epoch


def image_folder(folder: Path) -> Path:
    """Write 24 images for training and 8 for test, of two classes; return their folder."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for part, count in (("train", 12), ("val", 4)):
        for label in range(2):
            (folder / part / str(label)).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = rng.integers(128 * label, 128 + 128 * label, (12, 14, 3), np.uint8)
                Image.fromarray(pixels).save(folder / part / str(label) / f"{number}.png")
    return folder
