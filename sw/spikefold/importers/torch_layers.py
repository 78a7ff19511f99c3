"""Layers of `torch.nn`, and of frameworks that subclass them, as layers of this package."""

from typing import Any

import torch

from spikefold import nn
from spikefold.errors import ImportRefusal
from spikefold.importers.table import Converter, Place


def conv2d(layer: torch.nn.Conv2d, place: Place) -> torch.nn.Module:
    """A convolution with the same weights."""
    made = nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        _pair(layer.kernel_size),
        _pair(layer.stride),
        _padding(layer, place),
        layer.groups,
        layer.bias is not None,
        dilation=_pair(layer.dilation),
        padding_mode=layer.padding_mode,
    )
    return _filled(made, layer, "weight", "bias")


def linear(layer: torch.nn.Linear, place: Place) -> torch.nn.Module:
    """A dense layer with the same weights."""
    if place.value.dim() != 3:
        raise ImportRefusal(
            place.name,
            f"it reads maps of shape {list(place.value.shape[2:])} by their last axis",
            "Flatten before it",
        )
    return _filled(
        nn.Dense(layer.in_features, layer.out_features, layer.bias is not None), layer, "weight", "bias"
    )


def batch_norm(layer: torch.nn.BatchNorm2d, place: Place) -> torch.nn.Module:
    """A batch norm with the same running statistics."""
    if layer.running_mean is None or layer.running_var is None:
        raise ImportRefusal(
            place.name, "its statistics change with every batch", "a batch norm with track_running_stats=True"
        )
    made = nn.BatchNorm(layer.num_features, layer.eps, layer.momentum)
    return _filled(made, layer, "weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def avg_pool2d(layer: torch.nn.AvgPool2d, place: Place) -> torch.nn.Module:
    """An average pool."""
    if layer.divisor_override is not None:
        raise ImportRefusal(place.name, "it divides by a number of its own", "divisor_override=None")
    padded = layer.padding not in (0, (0, 0))
    return nn.AvgPool2d(
        layer.kernel_size,
        layer.stride,
        layer.padding,
        ceil_mode=_ceils(layer, place),
        count_include_pad=not padded or layer.count_include_pad,
    )


def max_pool2d(layer: torch.nn.MaxPool2d, place: Place) -> torch.nn.Module:
    """A max pool."""
    if layer.return_indices:
        raise ImportRefusal(place.name, "it returns indices too", "return_indices=False")
    return nn.MaxPool2d(
        layer.kernel_size,
        layer.stride,
        layer.padding,
        ceil_mode=_ceils(layer, place),
        dilation=layer.dilation,
    )


def adaptive_pool2d(layer: torch.nn.AdaptiveAvgPool2d, place: Place) -> torch.nn.Module:
    """An average over the whole map, or over equal windows."""
    size = layer.output_size
    rows, columns = size if isinstance(size, tuple) else (size, size)
    height, width = place.value.shape[3:]
    rows, columns = rows or height, columns or width
    if (rows, columns) == (1, 1):
        return nn.GlobalAvgPool()
    if height % rows or width % columns:
        raise ImportRefusal(
            place.name,
            f"it pools maps of {height}x{width} to {rows}x{columns}, in windows of different sizes",
            "output sizes that divide the map's",
        )
    return nn.AvgPool2d((height // rows, width // columns))


def flatten(layer: torch.nn.Flatten, place: Place) -> torch.nn.Module | None:
    """A flatten; nothing where there is one axis already."""
    if (layer.start_dim, layer.end_dim) not in ((place.lead, -1), (place.lead - place.value.dim(), -1)):
        raise ImportRefusal(
            place.name,
            f"it flattens from axis {layer.start_dim} to {layer.end_dim}",
            "all axes behind the batch",
        )
    return flat(layer, place)


def flat(layer: torch.nn.Module, place: Place) -> torch.nn.Module | None:
    """A flatten of whatever follows the batch."""
    return None if place.value.dim() == 3 else nn.Flatten()


def nothing(layer: torch.nn.Module, place: Place) -> None:
    """A layer that changes nothing in eval mode."""


def refused(reason: str, accepted: str) -> Converter:
    """A converter that refuses, with a reason."""

    def convert(layer: torch.nn.Module, place: Place) -> torch.nn.Module | None:
        raise ImportRefusal(place.name, f"a {type(layer).__name__} {reason}", accepted)

    return convert


_SAMPLE_NORM = refused("takes its statistics from every sample", "a batch norm")
_ATTENTION = refused("multiplies activations by activations", "dense, convolutional and residual layers")
RECURRENT = refused("feeds its result back", "neurons whose membrane is the only memory")

TORCH: dict[type, Converter] = {
    torch.nn.Conv2d: conv2d,
    torch.nn.Linear: linear,
    torch.nn.BatchNorm1d: batch_norm,
    torch.nn.BatchNorm2d: batch_norm,
    torch.nn.AvgPool2d: avg_pool2d,
    torch.nn.MaxPool2d: max_pool2d,
    torch.nn.AdaptiveAvgPool2d: adaptive_pool2d,
    torch.nn.Flatten: flatten,
    **dict.fromkeys((torch.nn.Dropout, torch.nn.Dropout1d, torch.nn.Dropout2d, torch.nn.Identity), nothing),
    **dict.fromkeys((torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.InstanceNorm2d), _SAMPLE_NORM),
    **dict.fromkeys((torch.nn.MultiheadAttention, torch.nn.TransformerEncoderLayer), _ATTENTION),
    **dict.fromkeys((torch.nn.RNN, torch.nn.LSTM, torch.nn.GRU), RECURRENT),
}
"""Torch's own layers."""

STATELESS: tuple[type, ...] = (
    torch.nn.AvgPool2d,
    torch.nn.MaxPool2d,
    torch.nn.AdaptiveAvgPool2d,
    torch.nn.Flatten,
    torch.nn.Dropout,
    torch.nn.Dropout2d,
    torch.nn.Identity,
)
"""Those that may be called more than once."""


def _filled(made: torch.nn.Module, layer: torch.nn.Module, *names: str) -> torch.nn.Module:
    """The made layer with the tensors of the source's; what that lacks keeps its neutral value."""
    made = made.to(next((tensor.dtype for tensor in layer.parameters()), torch.float32))
    source: dict[str, Any] = {name: getattr(layer, name, None) for name in names}
    state = {name: value.detach().cpu() for name, value in source.items() if value is not None}
    made.load_state_dict(made.state_dict() | state)
    return made


def _padding(layer: torch.nn.Conv2d, place: Place) -> tuple[int, int]:
    if not isinstance(layer.padding, str):
        rows, columns = layer.padding
        return rows, columns
    if layer.padding == "valid":
        return 0, 0
    if not all(size % 2 for size in layer.kernel_size):
        raise ImportRefusal(
            place.name, "it pads one side more than the other", "odd kernels, or padding as numbers"
        )
    return layer.kernel_size[0] // 2, layer.kernel_size[1] // 2


def _ceils(layer: torch.nn.AvgPool2d | torch.nn.MaxPool2d, place: Place) -> bool:
    """Whether the layer's ceil mode makes another map than the floor would."""
    if not layer.ceil_mode:
        return False
    kernel, padding = _pair(layer.kernel_size), _pair(layer.padding)
    stride = _pair(layer.stride or layer.kernel_size)
    sizes = zip(place.value.shape[3:], kernel, stride, padding, strict=True)
    return any((size + 2 * pad - window) % step for size, window, step, pad in sizes)


def _pair(value: Any) -> tuple[int, int]:
    """A number for rows and columns, or both."""
    rows, columns = value if isinstance(value, tuple) else (value, value)
    return rows, columns
