"""What one of two processes does in test_train_distributed.py: train, and write down how it ended.

torchrun --nproc-per-node 2 distributed_worker.py FOLDER
"""

import json
import os
import sys
from pathlib import Path

import safetensors.torch
import torch
from distributed_recipes import RECIPES
from train_case import run

from spikefold.errors import ModelError, SpikefoldError
from spikefold.train.run import Run

FAILURES = {  # rank, call and kind; an epoch has 3 batches, rank 0 runs one more before the first
    "diverging": (1, 9, False),
    "refusing": (0, 5, True),
    "unready": (0, 1, True),
}


def fail_once(rank: int, call: int, model_error: bool) -> None:
    """Let the loss of ``rank`` be NaN at its call number ``call``, or its model refuse to run."""
    loss, calls = Run._loss, []

    def failing(self: Run, x: torch.Tensor, y: torch.Tensor) -> tuple:
        calls.append(None)
        value, problem = loss(self, x, y)
        if self.group.rank == rank and len(calls) == call:
            return value * torch.nan, ModelError("made up") if model_error else problem
        return value, problem

    Run._loss = failing


def main(folder: Path) -> None:
    rank = int(os.environ["RANK"])
    (folder / str(rank)).mkdir(exist_ok=True)
    found = {}
    original = Run._loss
    for name, recipe in RECIPES.items():
        output = folder / ("diverging" if name == "resumed" else name)
        if name in FAILURES:
            fail_once(*FAILURES[name])
        try:
            result = run(recipe(folder), output, checkpoint_every=1)
            tensors = {key: value.contiguous() for key, value in result.model.state_dict().items()}
            safetensors.torch.save_file(tensors, folder / str(rank) / name)
            found[name] = [
                result.accuracy,
                result.accuracy_quantized,
                result.epochs,
                result.accuracy_validation,
            ]
        except SpikefoldError as error:
            found[name] = str(error)
        Run._loss = original
    (folder / str(rank) / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
