"""NIR's linear nodes as layers of this package."""

from typing import Any

import nir
import numpy as np
import torch
from numpy.typing import NDArray

from spikefold.errors import ImportRefusal, InputError
from spikefold.importers.nir.builder import Builder
from spikefold.importers.nir.parameters import Reals, Shape, pair, per_channel, reals, whole
from spikefold.ir.maps import Map, Window
from spikefold.nn import AvgPool2d, Conv2d, Dense, Flatten

_MAPS = "maps of shape (channels, rows, columns)"
_CURRENTS = ("dense", "conv", "add", "avg_pool", "batch_norm")


def add_linear(builder: Builder, name: str, node: Any, source: str) -> str:
    """Add the layers of a node that is a linear map; returns the last of them.

    Raises
    ------
    ImportRefusal
        If it does not fit what it reads, or has a setting that has no counterpart here.
    """
    shape = builder.shapes[source]
    match node:
        case nir.Linear() | nir.Affine():
            return _dense(builder, name, node, source)
        case nir.Conv1d() | nir.Conv2d():
            return _convolution(builder, name, node, source)
        case nir.Scale():
            return builder.scaled(name, source, per_channel(name, "scale", node.scale, builder.native(shape)))
        case nir.Flatten():
            return _flatten(builder, name, node, source)
        case _:
            return _pool(builder, name, node, source)


def _dense(builder: Builder, name: str, node: Any, source: str) -> str:
    weight = reals(name, "weight", node.weight, 2)
    bias = reals(name, "bias", node.bias, 1) if isinstance(node, nir.Affine) else None
    shape = builder.shapes[source]
    if shape != (weight.shape[1],):
        raise ImportRefusal(
            name,
            f"its weight of shape {list(weight.shape)} reads {weight.shape[1]} features, not {list(shape)}",
            "as many features as come; a Flatten before it if they are maps",
        )
    if _is_gain(builder, source, weight):
        return builder.scaled(name, source, np.diag(weight).astype(np.float64), _offset(bias))
    layer = Dense(weight.shape[1], weight.shape[0], bias is not None)
    _fill(name, layer, weight, bias)
    return builder.append(name, layer, [source], (weight.shape[0],))


def _convolution(builder: Builder, name: str, node: Any, source: str) -> str:
    flat = isinstance(node, nir.Conv1d)
    weight = reals(name, "weight", node.weight, 3 if flat else 4)
    bias = reals(name, "bias", node.bias, 1)
    weight = weight[:, :, None] if flat else weight
    low = 1 if flat else None
    stride, dilation = (_steps(name, field, getattr(node, field), low) for field in ("stride", "dilation"))
    if dilation != (1, 1):
        raise ImportRefusal(name, f"its dilation is {dilation}", "a dilation of 1")
    channels, *_ = shape = _maps(name, builder.shapes[source])
    kernel = (weight.shape[2], weight.shape[3])
    padding = _padding(name, node.padding, kernel, stride, flat)
    groups = whole(name, "groups", node.groups, 1)
    if weight.shape[1] * groups != channels:
        raise ImportRefusal(
            name,
            f"its weight reads {weight.shape[1]} channels in each of {groups} groups, but {channels} come",
            "as many channels as come",
        )
    window = _window(name, shape, kernel, stride, padding)
    if kernel == stride == (1, 1) and padding == (0, 0) and _is_gain(builder, source, weight[..., 0, 0]):
        return builder.scaled(name, source, np.diag(weight[..., 0, 0]).astype(np.float64), _offset(bias))
    padding = builder.framed(name, source, padding)
    layer = Conv2d(channels, len(weight), kernel, stride, padding, groups, bias=bool(bias.any()))
    _fill(name, layer, weight, bias if bias.any() else None)
    return builder.append(name, layer, [source], (len(weight), window.height, window.width))


def _is_gain(builder: Builder, source: str, weight: NDArray[Any]) -> bool:
    """Whether weights that read currents are a diagonal matrix: a batch norm, as it is often exported."""
    square = weight.shape[0] == weight.shape[1] and builder.node(source).kind in _CURRENTS
    return square and bool((weight == np.diag(np.diag(weight))).all())


def _offset(bias: NDArray[Any] | None) -> Reals | None:
    return None if bias is None or not bias.any() else bias.astype(np.float64)


def _flatten(builder: Builder, name: str, node: Any, source: str) -> str:
    shape = builder.shapes[source]
    if len(shape) == 1:
        return source
    first, last = whole(name, "start_dim", node.start_dim, -3), whole(name, "end_dim", node.end_dim, -3)
    axes = len(builder.native(shape))
    if first not in (0, -axes) or last not in (-1, axes - 1):
        raise ImportRefusal(
            name,
            f"it flattens axes {first} to {last} of {axes}, and what is left is no vector",
            "start_dim=0 and end_dim=-1: NIR's axes do not count the batch",
        )
    return builder.append(name, Flatten(), [source], (int(np.prod(shape)),))


def _pool(builder: Builder, name: str, node: Any, source: str) -> str:
    kernel, stride = pair(name, "kernel_size", node.kernel_size, 1), pair(name, "stride", node.stride, 1)
    padding = pair(name, "padding", node.padding, 0)
    shape = _maps(name, builder.shapes[source])
    window = _window(name, shape, kernel, stride, padding)
    layer = AvgPool2d(kernel, stride, padding)
    pooled = builder.append(name, layer, [source], (shape[0], window.height, window.width))
    if isinstance(node, nir.AvgPool2d):
        return pooled
    return builder.scaled(name, pooled, np.full(shape[0], float(kernel[0] * kernel[1])))


def _steps(name: str, field: str, value: Any, rows: int | None) -> tuple[int, int]:
    """A stride or dilation as (rows, columns); along a line the rows' is given."""
    return pair(name, field, value, 1) if rows is None else (rows, whole(name, field, value, 1))


def _padding(
    name: str, value: Any, kernel: tuple[int, int], stride: tuple[int, int], flat: bool
) -> tuple[int, int]:
    word = value.decode() if isinstance(value, bytes) else value
    if not isinstance(word, str):
        return (0, whole(name, "padding", value, 0)) if flat else pair(name, "padding", value, 0)
    if word == "valid":
        return 0, 0
    if word != "same" or stride != (1, 1) or not all(size % 2 for size in kernel):
        raise ImportRefusal(
            name,
            f"its padding is {word!r} with a kernel of {kernel} and a stride of {stride}",
            "numbers; 'valid'; 'same' with odd kernels and a stride of 1",
        )
    return kernel[0] // 2, kernel[1] // 2


def _maps(name: str, shape: Shape) -> Shape:
    if len(shape) != 3:
        raise ImportRefusal(name, f"it reads values of shape {list(shape)}", _MAPS)
    return shape


def _window(name: str, shape: Shape, kernel: Any, stride: Any, padding: Any) -> Window:
    try:
        return Window(Map(*shape), kernel, stride, padding)
    except InputError as error:
        raise ImportRefusal(name, f"its window does not fit: {error}", "a window that fits its map") from None


def _fill(name: str, layer: Dense | Conv2d, weight: Any, bias: Any) -> None:
    layer.double()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
        if bias is not None and layer.bias is not None:
            if bias.shape != layer.bias.shape:
                raise ImportRefusal(
                    name,
                    f"its bias has shape {list(bias.shape)}, its weight {len(weight)} targets",
                    "a bias for each target",
                )
            layer.bias.copy_(torch.from_numpy(bias))
