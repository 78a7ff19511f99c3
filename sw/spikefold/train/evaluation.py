"""Read samples out of arrays, and count how many of them a network gets right."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikefold import nn
from spikefold.train.distributed import Group


def read(samples: Any, indices: Tensor) -> Tensor:
    """Return the samples at ``indices`` [B] of an array, an array-like or a tensor, [B, ...]."""
    if isinstance(samples, Tensor):
        return samples[indices]
    return torch.from_numpy(np.ascontiguousarray(samples[indices.numpy()]))


def arranged(model: torch.nn.Module, x: Tensor) -> Tensor:
    """Return samples ``x`` [B, ...] as ``model`` takes them: frames [B, T, ...] with time in front."""
    frames = any(isinstance(layer, nn.Input) and not layer.static for layer in model.modules())
    return x.transpose(0, 1) if frames else x


def accuracy(model: torch.nn.Module, x: Any, y: np.ndarray | Tensor, batch: int = 256) -> float:
    """Return the fraction of samples ``x`` [N, features...] whose largest logit is at ``y`` [N].

    ``x`` may be an array, a tensor, or anything with a length that gives arrays for arrays of indices;
    samples of a network for frames are [T, features...].
    """
    return measure(model, x, torch.as_tensor(y), torch.arange(len(y)), batch)


def measure(
    model: torch.nn.Module, x: Any, y: Tensor, chosen: Tensor, batch: int = 256, group: Group | None = None
) -> float:
    """Return the accuracy on the samples at the indices ``chosen``; the processes of ``group`` share them."""
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    group = group or Group(device)
    was_training = model.training
    model.eval()
    hits = torch.zeros((), dtype=torch.int64, device=device)
    with torch.no_grad():
        for indices in group.share(chosen).split(batch):
            if len(indices):
                guessed = model(arranged(model, read(x, indices).to(device))).argmax(dim=1)
                hits += (guessed == y[indices].to(device)).sum()
    model.train(was_training)
    return int(group.total(hits)) / len(chosen)
