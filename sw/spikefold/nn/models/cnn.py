"""A small convolutional network for small images."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch

from spikefold.errors import ModelError
from spikefold.nn import checks
from spikefold.nn.containers import Sequential
from spikefold.nn.layers import BatchNorm, Flatten
from spikefold.nn.maps import window_count
from spikefold.nn.models.parts import Options, global_pool, image_shape, make_pool, shrink


def cnn(
    in_shape: tuple[int, int, int],
    classes: int,
    *,
    channels: Sequence[int] = (16, 32, 32),
    kernel: int = 3,
    pool: str = "max",
    head: str = "flatten",
    **options: Any,
) -> Sequential:
    """Build convolution, batch norm, neurons and 2x2 pool for each of ``channels``, then a dense layer.

    Convolutions keep the size of the map, ``kernel`` must be odd. ``pool`` is "avg" or "max", or "stride":
    convolutions of stride 2 in place of pools. ``head`` reduces what is left: "flatten" keeps all positions,
    "global" averages every map. Other keywords are ``nn.models.Options``. Layers are named ``input``,
    ``stem``, ``norm1``, ``neuron1``, ``pool1``, ``conv2``, ..., ``dense``, ``readout``.

    Raises
    ------
    ModelError
        On a parameter out of range, or if the input is too small for so many pools.
    """
    common, shape = Options(**options), image_shape(in_shape)
    checks.choice("Head", head, ("flatten", "global"))
    checks.choice("Pool", pool, ("avg", "max", "stride"))
    if not channels:
        raise ModelError("Channels must be a size for at least one convolution, not ()")
    if checks.integer("Kernel", kernel, 1) % 2 == 0:
        raise ModelError(f"Kernel must be odd, so that maps keep their size, not {kernel!r}")
    stride, pad = (2 if pool == "stride" else 1), kernel // 2
    layers: OrderedDict[str, torch.nn.Module] = OrderedDict(common.stem(shape, channels[0], kernel, stride))
    before, size = channels[0], shape[1:]
    for i, count in enumerate(channels, start=1):
        if i > 1:
            layers[f"conv{i}"] = common.conv(before, count, kernel, stride, pad)
        layers[f"norm{i}"] = BatchNorm(count)
        layers[f"neuron{i}"] = common.neurons(count)
        if pool == "stride":
            size = (window_count(size[0], kernel, 2, pad), window_count(size[1], kernel, 2, pad))
        else:
            layers[f"pool{i}"] = make_pool(pool, 2)
            size = shrink("cnn", f"pool{i}", size, 2, 2)
        before = count
    layers.update(global_pool() if head == "global" else {"flatten": Flatten()})
    features = before if head == "global" else before * size[0] * size[1]
    layers.update(common.head(features, classes))
    return Sequential(layers)
