"""The blocks residual networks are made of: where the sum stands in each of them is what tells them apart."""

from collections import OrderedDict

import torch
from torch import Tensor

from spikefold.nn.containers import Sequential
from spikefold.nn.layers import Add, BatchNorm
from spikefold.nn.models.parts import Options


class PreActBlock(torch.nn.Module):
    """Neurons first; currents are added: ``conv2(neuron2(norm2(conv1(x)))) + shortcut(x)``.

    ``x = neuron1(norm1(input))``. The shortcut is the spikes ``x`` themselves, or a 1x1 convolution of them
    where the shape changes. Convolutions carry a bias, as the authors of PIT have it.
    """

    def __init__(self, options: Options, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.norm1 = BatchNorm(before)
        self.neuron1 = options.neurons(before)
        self.conv1 = options.conv(before, channels, 3, stride, 1, bias=True)
        self.norm2 = BatchNorm(channels)
        self.neuron2 = options.neurons(channels)
        self.conv2 = options.conv(channels, channels, 3, padding=1, bias=True)
        changes = stride != 1 or before != channels
        self.shortcut = options.conv(before, channels, 1, stride, bias=True) if changes else None
        self.add = Add()

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of the two currents, [T, B, channels, H', W']."""
        x = self.neuron1(self.norm1(x))
        y = self.neuron2(self.norm2(self.conv1(x)))
        current: Tensor = self.add(self.conv2(y), x if self.shortcut is None else self.shortcut(x))
        return current


class PostActBlock(torch.nn.Module):
    """Neurons last; currents are added: ``neuron2(norm2(conv2(neuron1(norm1(conv1(x))))) + shortcut(x))``.

    The shortcut is the spikes ``x`` themselves, or a 1x1 convolution of them with batch norm where the shape
    changes. Convolutions have no bias.
    """

    def __init__(self, options: Options, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = options.conv(before, channels, 3, stride, 1)
        self.norm1 = BatchNorm(channels)
        self.neuron1 = options.neurons(channels)
        self.conv2 = options.conv(channels, channels, 3, padding=1)
        self.norm2 = BatchNorm(channels)
        self.shortcut = _projection(options, before, channels, stride)
        self.add = Add()
        self.neuron2 = options.neurons(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the spikes of the block, [T, B, channels, H', W']."""
        y = self.neuron1(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        spikes: Tensor = self.neuron2(self.add(y, x if self.shortcut is None else self.shortcut(x)))
        return spikes


class SEWBlock(torch.nn.Module):
    """Spikes are added: ``neuron2(norm2(conv2(neuron1(norm1(conv1(x)))))) + shortcut(x)``.

    The shortcut is ``x`` itself, or a 1x1 convolution of it with batch norm and neurons where the shape
    changes. Convolutions have no bias.
    """

    def __init__(self, options: Options, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = options.conv(before, channels, 3, stride, 1)
        self.norm1 = BatchNorm(channels)
        self.neuron1 = options.neurons(channels)
        self.conv2 = options.conv(channels, channels, 3, padding=1)
        self.norm2 = BatchNorm(channels)
        self.neuron2 = options.neurons(channels)
        self.shortcut = _projection(options, before, channels, stride)
        if self.shortcut is not None:
            self.shortcut.add_module("neuron", options.neurons(channels))
        self.add = Add()

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of the spikes, [T, B, channels, H', W']."""
        y = self.neuron1(self.norm1(self.conv1(x)))
        y = self.neuron2(self.norm2(self.conv2(y)))
        spikes: Tensor = self.add(y, x if self.shortcut is None else self.shortcut(x))
        return spikes


Block = type[PreActBlock] | type[PostActBlock] | type[SEWBlock]


def stages(
    block: Block, options: Options, before: int, widths: tuple[int, ...], blocks: tuple[int, ...]
) -> dict[str, Sequential]:
    """Return ``stage1``, ``stage2``, ..., each of ``block1``, ...; all but the first halve the map."""
    result = {}
    for i, (channels, count) in enumerate(zip(widths, blocks, strict=True), start=1):
        stage: OrderedDict[str, torch.nn.Module] = OrderedDict()
        for j in range(1, count + 1):
            stage[f"block{j}"] = block(options, before, channels, 2 if i > 1 and j == 1 else 1)
            before = channels
        result[f"stage{i}"] = Sequential(stage)
    return result


def _projection(options: Options, before: int, channels: int, stride: int) -> Sequential | None:
    """Return the shortcut where the shape changes: ``conv`` 1x1 and ``norm``."""
    if stride == 1 and before == channels:
        return None
    conv = options.conv(before, channels, 1, stride)
    return Sequential(OrderedDict(conv=conv, norm=BatchNorm(channels)))
