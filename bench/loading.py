"""Images of training input per second with 0, 1 and 2 workers: alone, and where a network trains on them.

    python bench/loading.py [--images N] [--json]

JPEGs of 500x375 in a folder, of which random parts of 112x112 are read, and arrays 3x32x32 in memory. The
network is a small CNN; its epoch on the folder includes reading. Workers have started before time is taken.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from figures import show
from PIL import Image

from spikefold.train import Dataset, Recipe, load_data
from spikefold.train.loading import Job, Loader
from spikefold.train.run import Run

WORKERS = (0, 1, 2)
REPEATS = 3
BATCH = 32


def folder_of_images(folder: Path, count: int) -> Path:
    """Write ``count`` smooth images of two classes, and one of each for test."""
    rng = np.random.default_rng(0)
    for number in range(count + 2):
        part = "train" if number < count else "val"
        path = folder / part / str(number % 2) / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 256, (24, 32, 3), np.uint8)
        Image.fromarray(small).resize((500, 375), Image.Resampling.BICUBIC).save(path, quality=90)
    return folder


def arrays(count: int) -> Dataset:
    """Images as those of CIFAR lie in memory."""
    x = np.random.default_rng(0).random((count, 3, 32, 32), dtype=np.float32)
    y = np.arange(count) % 2
    return Dataset(x, y, x[:2], y[:2], maximum=1.0, classes=2, name="made", image_shape=(3, 32, 32))


def input_alone(data: Dataset, workers: int, batch: int, random: bool) -> tuple[Callable[[], None], Loader]:
    """Read all of the training part once."""
    loader = Loader(data, workers)
    rows = np.random.default_rng(0).permutation(len(data.train_y))
    parts = [rows[i : i + batch] for i in range(0, len(rows), batch)]
    jobs = [Job("train", part, index if random else None) for index, part in enumerate(parts)]

    def task() -> None:
        for _ in loader.read(jobs):
            pass

    return task, loader


def training(data: Dataset, workers: int) -> tuple[Callable[[], None], Run]:
    """One epoch."""
    options = {"batch_size": BATCH, "random_resized_crop": True, "num_workers": workers, "device": "cpu"}
    model = {"kind": "cnn", "channels": [4, 4]}
    recipe = Recipe.from_dict({"data": {"name": data.name}, "model": model, "training": options})
    run = Run(recipe, data)
    return lambda: run.epoch(lambda *_: None) and None, run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=128, help="in the folder")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        files = load_data(f"imagenet:{folder_of_images(Path(name), arguments.images)}", size=112)
        memory = arrays(10_000)
        for workers in WORKERS:
            cases = {
                "files": (len(files.train_y), *input_alone(files, workers, BATCH, random=True)),
                "memory": (len(memory.train_y), *input_alone(memory, workers, 128, random=False)),
                "training": (len(files.train_y), *training(files, workers)),
            }
            for case, (count, task, owner) in cases.items():
                task()
                seconds = []
                for _ in range(REPEATS):
                    began = time.perf_counter()
                    task()
                    seconds.append(time.perf_counter() - began)
                owner.close()
                figures[f"{case}_{workers}_images_per_s"] = count / min(seconds)
    show("Training input, images per second by workers", figures, {}, arguments.json)


if __name__ == "__main__":
    main()
