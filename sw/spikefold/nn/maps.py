"""Feature maps [T, B, C, H, W]: the checks and sizes that convolution and pooling share."""

from torch import Tensor

from spikefold.errors import InputError
from spikefold.limits import claim

Size = int | tuple[int, int]
Pair = tuple[int, int]


def check_maps(name: str, x: Tensor, channels: int | None = None) -> None:
    """Raise InputError, naming the layer's class, unless ``x`` holds feature maps, ``channels`` of them."""
    if x.dim() != 5 or channels not in (None, x.shape[2]):
        wanted = f"[time, batch, {'channels' if channels is None else channels}, height, width]"
        raise InputError(f"{name} input must have shape {wanted}, not {list(x.shape)}")


def check_window(name: str, x: Tensor, kernel: Pair, padding: Pair) -> None:
    """Raise InputError unless ``kernel`` fits the padded maps of ``x``, and these into memory."""
    rows, columns = (size + 2 * pad for size, pad in zip(x.shape[3:], padding, strict=True))
    claim(
        f"{name} input with its padding {padding}",
        x.element_size() * x[0, :, :, 0, 0].numel() * rows * columns,
    )
    sizes = zip(x.shape[3:], kernel, padding, strict=True)
    if any(window_count(size, k, 1, pad) < 1 for size, k, pad in sizes):
        raise InputError(
            f"{name} input must be at least as large as the kernel {kernel} with its padding {padding}, "
            f"not {list(x.shape[3:])}"
        )


def steps_apart(maps: Tensor, x: Tensor) -> Tensor:
    """Return [T * B, ...] as [T, B, ...], with the T and B of ``x``."""
    apart: Tensor = maps.unflatten(0, x.shape[:2])
    return apart


def window_count(size: int, kernel: int, stride: int, padding: int) -> int:
    """Return how many windows fit into ``size`` rows (or columns); below 1 if none does."""
    return (size + 2 * padding - kernel) // stride + 1
