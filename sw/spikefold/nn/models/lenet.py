"""A convolutional network of LeNet's size."""

from collections import OrderedDict
from typing import Any

import torch

from spikefold.nn import checks
from spikefold.nn.containers import Sequential
from spikefold.nn.convolution import Conv2d
from spikefold.nn.layers import BatchNorm, Flatten
from spikefold.nn.models.parts import Options, image_shape, make_pool, shrink


def lenet(
    in_shape: tuple[int, int, int],
    classes: int,
    *,
    width: int = 8,
    pool: str = "avg",
    norm: bool = True,
    **options: Any,
) -> Sequential:
    """Build two unpadded 5x5 convolutions, each with neurons and a 2x2 pool, and two dense layers.

    The convolutions have ``width`` and ``2 * width`` channels, the hidden dense layer ``10 * width`` neurons;
    ``norm`` puts a batch norm before each of the three layers of neurons. ``pool`` is "avg" or "max"; other
    keywords are ``Options``. Layers are named ``input``, ``conv1``, ``norm1``, ``neuron1``, ``pool1``, ...,
    ``dense1``, ``norm3``, ``neuron3``, ``dense``, ``readout``.

    Raises
    ------
    ModelError
        On a parameter out of range, or if the input is smaller than 16x16.
    """
    common, shape = Options(**options), image_shape(in_shape)
    checks.integer("Width", width, 1)
    layers: OrderedDict[str, torch.nn.Module] = OrderedDict(input=common.input(shape))

    def spikes(index: int, channels: int) -> None:
        if norm:
            layers[f"norm{index}"] = BatchNorm(channels)
        layers[f"neuron{index}"] = common.neurons(channels)

    before, size = shape[0], shape[1:]
    for i, channels in enumerate((width, 2 * width), start=1):
        conv = Conv2d if i == 1 else common.conv
        layers[f"conv{i}"] = conv(before, channels, 5, bias=not norm)
        size = shrink("lenet", f"conv{i}", size, 5)
        spikes(i, channels)
        layers[f"pool{i}"] = make_pool(pool, 2)
        size = shrink("lenet", f"pool{i}", size, 2, 2)
        before = channels
    layers["flatten"] = Flatten()
    layers["dense1"] = common.dense(before * size[0] * size[1], 10 * width, bias=not norm)
    spikes(3, 10 * width)
    layers.update(common.head(10 * width, classes))
    return Sequential(layers)
