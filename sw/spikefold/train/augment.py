"""Random changes of training images."""

from collections.abc import Callable
from functools import cache
from importlib import import_module

import torch
from torch import Tensor

from spikefold.errors import MissingToolError
from spikefold.train.options import TrainingOptions


def augment(
    x: Tensor, options: TrainingOptions, generator: torch.Generator, span: tuple[float, float] = (0.0, 1.0)
) -> Tensor:
    """Change the images ``x`` [B, C, H, W], values in ``span``, as ``options`` says; same shape."""
    if options.shift:
        x = shift_images(x, options.shift, generator, span[0])
    if options.flip:
        x = flip_images(x, generator)
    if options.autoaugment is not None:
        x = auto_augment(x, options.autoaugment, generator, span)
    if options.cutout:
        x = cut_out(x, options.cutout, generator, span[0])
    return x


def shift_images(x: Tensor, pixels: int, generator: torch.Generator, fill: float = 0.0) -> Tensor:
    """Move every image of ``x`` [B, C, H, W] by its own random offset of up to ``pixels`` in both directions.

    What moves in from outside has the value ``fill``. Returns a new tensor of the same shape.
    """
    batch, channels, height, width = x.shape
    padded = torch.nn.functional.pad(x, (pixels,) * 4, value=fill)
    offsets = torch.randint(0, 2 * pixels + 1, (2, batch, 1), generator=generator)
    rows = (offsets[0] + torch.arange(height))[:, None, :, None].to(x.device)
    columns = (offsets[1] + torch.arange(width))[:, None, None, :].to(x.device)
    sample = torch.arange(batch, device=x.device)[:, None, None, None]
    return padded[sample, torch.arange(channels, device=x.device)[:, None, None], rows, columns]


def flip_images(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image of ``x`` [B, C, H, W] left to right with a chance of one half."""
    chosen = (torch.rand(len(x), generator=generator) < 0.5).to(x.device)
    return torch.where(chosen[:, None, None, None], x.flip(-1), x)


def cut_out(x: Tensor, side: int, generator: torch.Generator, fill: float = 0.0) -> Tensor:
    """Give a square of ``side`` pixels in each image of ``x`` [B, C, H, W] the value ``fill``.

    Its centre is any pixel; what lies outside of the image is lost (DeVries and Taylor, 2017).
    """
    inside = torch.ones(len(x), 1, 1, 1, dtype=torch.bool)
    for axis in (2, 3):
        first = torch.randint(x.shape[axis], (len(x), 1), generator=generator) - side // 2
        places = torch.arange(x.shape[axis])
        covered = (places >= first) & (places < first + side)
        inside = inside & (covered[:, None, :, None] if axis == 2 else covered[:, None, None, :])
    return torch.where(inside.to(x.device), torch.as_tensor(fill, dtype=x.dtype, device=x.device), x)


def auto_augment(
    x: Tensor, policy: str, generator: torch.Generator, span: tuple[float, float] = (0.0, 1.0)
) -> Tensor:
    """Change each RGB image of ``x`` [B, 3, H, W] by a random part of a policy (Cubuk et al., 2019).

    ``policy`` is "cifar10", "imagenet" or "svhn"; magnitudes are drawn by torch's global generator.

    Raises
    ------
    MissingToolError
        If the package kornia is not installed.
    """
    parts, (low, high) = sub_policies(policy), span
    drawn = torch.randint(len(parts), (len(x),), generator=generator)
    unit = ((x - low) / (high - low)).clamp(0, 1)
    for index in torch.unique(drawn).tolist():
        chosen = (drawn == index).nonzero()[:, 0].to(x.device)
        unit[chosen] = parts[index](unit[chosen]).to(unit.dtype)
    return unit * (high - low) + low


@cache
def sub_policies(policy: str) -> tuple[Callable[[Tensor], Tensor], ...]:
    """Return the parts of an AutoAugment policy; raise MissingToolError without the package kornia."""
    try:
        kornia = import_module("kornia.augmentation.auto.autoaugment.autoaugment")
    except ImportError as error:
        raise MissingToolError(
            "Recipe training.autoaugment needs the package kornia; install it with: "
            "pip install 'spikefold[augment]'"
        ) from error
    parts = getattr(kornia, f"{policy}_policy")
    return tuple(kornia.AutoAugment([part], transformation_matrix_mode="skip") for part in parts)
