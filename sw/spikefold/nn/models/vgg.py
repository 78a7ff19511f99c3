"""Convolutional networks in the manner of VGG."""

from collections import OrderedDict
from typing import Any

import torch

from spikefold.nn import checks
from spikefold.nn.containers import Sequential
from spikefold.nn.layers import BatchNorm, Flatten
from spikefold.nn.models.parts import Options, global_pool, image_shape, make_pool, shrink

_VGG11 = ((1,), (2,), (4, 4), (8, 8), (8, 8))  # channels in units of the width, a pool after each group


def vgg11(
    in_shape: tuple[int, int, int],
    classes: int,
    *,
    width: int = 64,
    pool: str = "max",
    head: str = "global",
    **options: Any,
) -> Sequential:
    """Build the eight 3x3 convolutions of VGG11 and one dense layer.

    Channels are 64, pool, 128, pool, 256, 256, pool, 512, 512, pool, 512, 512, pool, where ``width`` stands
    for the 64; every convolution is followed by batch norm and neurons, every ``pool`` ("avg" or "max")
    halves the map. ``head`` reduces what is left: "global" averages every map, "flatten" keeps all positions.
    Other keywords are ``Options``. Layers are named ``input``, ``stem``, ``norm1``, ``neuron1``, ``pool1``,
    ``conv2``, ..., ``dense``, ``readout``.

    Raises
    ------
    ModelError
        On a parameter out of range, or if the input is smaller than 32x32.
    """
    common, shape = Options(**options), image_shape(in_shape)
    checks.integer("Width", width, 1)
    checks.choice("Head", head, ("global", "flatten"))
    layers: OrderedDict[str, torch.nn.Module] = OrderedDict(common.stem(shape, width, 3))
    index, before, size = 1, width, shape[1:]
    for group, factors in enumerate(_VGG11, start=1):
        for channels in (factor * width for factor in factors):
            if index > 1:
                layers[f"conv{index}"] = common.conv(before, channels, 3, padding=1)
            layers[f"norm{index}"] = BatchNorm(channels)
            layers[f"neuron{index}"] = common.neurons(channels)
            index, before = index + 1, channels
        layers[f"pool{group}"] = make_pool(pool, 2)
        size = shrink("vgg11", f"pool{group}", size, 2, 2)
    layers.update(global_pool() if head == "global" else {"flatten": Flatten()})
    features = before if head == "global" else before * size[0] * size[1]
    layers.update(common.head(features, classes))
    return Sequential(layers)
