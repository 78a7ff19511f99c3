"""Random changes of training images."""

import torch
from torch import Tensor


def shift_images(x: Tensor, pixels: int, generator: torch.Generator, fill: float = 0.0) -> Tensor:
    """Move every image of ``x`` [B, C, H, W] by its own random offset of up to ``pixels`` in both directions.

    What moves in from outside has the value ``fill``. Returns a new tensor of the same shape.
    """
    batch, channels, height, width = x.shape
    padded = torch.nn.functional.pad(x, (pixels,) * 4, value=fill)
    offsets = torch.randint(0, 2 * pixels + 1, (2, batch, 1), generator=generator)
    rows = (offsets[0] + torch.arange(height))[:, None, :, None]
    columns = (offsets[1] + torch.arange(width))[:, None, None, :]
    sample = torch.arange(batch)[:, None, None, None]
    return padded[sample, torch.arange(channels)[:, None, None], rows, columns]


def flip_images(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image of ``x`` [B, C, H, W] left to right with a chance of one half."""
    chosen = torch.rand(len(x), generator=generator) < 0.5
    return torch.where(chosen[:, None, None, None], x.flip(-1), x)
