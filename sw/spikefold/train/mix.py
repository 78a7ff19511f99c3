"""Mixtures of two samples and their labels: mixup (Zhang et al., 2018) and CutMix (Yun et al., 2019)."""

import numpy as np
import torch
from torch import Tensor

from spikefold.train.options import TrainingOptions


def mix(
    x: Tensor, y: Tensor, classes: int, options: TrainingOptions, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Mix every sample of ``x`` [B, ...] with another of the batch as ``options`` says.

    Returns the samples and the probabilities of their classes, [B, classes], for the labels ``y`` [B].
    CutMix takes the last two axes for rows and columns. With both one in two batches is cut.
    """
    target = torch.nn.functional.one_hot(y, classes).to(torch.float32)
    rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    partner = torch.randperm(len(x), generator=generator).to(x.device)
    if options.cutmix and (not options.mixup or rng.random() < 0.5):
        x, share = _cut(x, x[partner], rng.beta(options.cutmix, options.cutmix), rng)
    else:
        share = rng.beta(options.mixup, options.mixup)
        x = torch.lerp(x[partner], x, share)
    return x, torch.lerp(target[partner], target, share)


def _cut(x: Tensor, other: Tensor, share: float, rng: np.random.Generator) -> tuple[Tensor, float]:
    """Replace a box of about ``1 - share`` of the area by ``other``'s; return the share that was kept."""
    height, width = x.shape[-2:]
    half = np.sqrt(1 - share) / 2
    row, column = rng.integers(height), rng.integers(width)
    top, bottom = (int(np.clip(round(row + side * half * height), 0, height)) for side in (-1, 1))
    left, right = (int(np.clip(round(column + side * half * width), 0, width)) for side in (-1, 1))
    x = x.clone()
    x[..., top:bottom, left:right] = other[..., top:bottom, left:right]
    return x, 1 - (bottom - top) * (right - left) / (height * width)
