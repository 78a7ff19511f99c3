"""Read samples out of arrays, and count how many of them a network gets right."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikefold import nn


def read(samples: Any, indices: Tensor) -> Tensor:
    """Return the samples at ``indices`` [B] of an array, an array-like or a tensor, [B, ...]."""
    if isinstance(samples, Tensor):
        return samples[indices]
    return torch.from_numpy(np.ascontiguousarray(samples[indices.numpy()]))


def arranged(model: torch.nn.Module, x: Tensor) -> Tensor:
    """Return samples ``x`` [B, ...] as ``model`` takes them: frames [B, T, ...] with time in front."""
    frames = any(isinstance(layer, nn.Input) and not layer.static for layer in model.modules())
    return x.transpose(0, 1) if frames else x


def accuracy(model: torch.nn.Module, x: Any, y: NDArray[np.int64] | Tensor, batch: int = 256) -> float:
    """Return the fraction of samples ``x`` [N, features...] whose largest logit is at ``y`` [N].

    ``x`` may be an array, a tensor, or anything with a length that gives arrays for arrays of indices;
    samples of a network for frames are [T, features...].
    """
    labels = torch.as_tensor(y)
    batches = torch.split(torch.arange(len(labels)), batch)
    return int(count_hits(model, ((read(x, rows), labels[rows]) for rows in batches))) / len(labels)


def classify(model: torch.nn.Module, x: Any, batch: int = 256) -> NDArray[np.int64]:
    """Return the class of every sample, that of the largest logit, [N]; ``x`` as in ``accuracy``."""
    batches = torch.split(torch.arange(len(x)), batch)
    with _evaluated(model) as device:
        found = [model(arranged(model, read(x, rows).to(device))).argmax(dim=1).cpu() for rows in batches]
    classes: NDArray[np.int64] = torch.cat(found).numpy()
    return classes


def count_hits(model: torch.nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """Return how many samples of ``batches`` have their largest logit at their label, on the model's device.

    A batch is samples [B, ...] and labels [B].
    """
    with _evaluated(model) as device:
        hits = torch.zeros((), dtype=torch.int64, device=device)
        for x, y in batches:
            guessed = model(arranged(model, x.to(device))).argmax(dim=1)
            hits += (guessed == y.to(device)).sum()
    return hits


@contextmanager
def _evaluated(model: torch.nn.Module) -> Iterator[torch.device]:
    """In eval mode, without gradients, inside; yields the model's device."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    finally:
        model.train(was_training)
