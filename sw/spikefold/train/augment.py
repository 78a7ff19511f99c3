"""Random image shifts."""

import torch
from torch import Tensor


def shift_images(x: Tensor, pixels: int, generator: torch.Generator, fill: float = 0.0) -> Tensor:
    """Move every image of ``x`` [B, H, W] by its own random offset of up to ``pixels`` in both directions.

    What moves in from outside has the value ``fill``. Returns a new tensor of the same shape.
    """
    batch, height, width = x.shape
    padded = torch.nn.functional.pad(x, (pixels,) * 4, value=fill)
    offsets = torch.randint(0, 2 * pixels + 1, (2, batch, 1), generator=generator)
    rows = offsets[0] + torch.arange(height)
    columns = offsets[1] + torch.arange(width)
    sample = torch.arange(batch)[:, None, None]
    return padded[sample, rows[:, :, None], columns[:, None, :]]
