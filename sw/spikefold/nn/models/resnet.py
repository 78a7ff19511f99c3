"""Residual networks."""

from collections import OrderedDict
from typing import Any

import torch

from spikefold.errors import ModelError
from spikefold.nn import checks
from spikefold.nn.containers import Sequential
from spikefold.nn.layers import BatchNorm
from spikefold.nn.models.blocks import PostActBlock, PreActBlock, SEWBlock, stages
from spikefold.nn.models.parts import Options, global_pool, image_shape
from spikefold.nn.neurons import PIT, tie_scales
from spikefold.nn.pooling import MaxPool2d

Shape = tuple[int, int, int]
Counts = tuple[int, ...]


def preact_resnet(
    in_shape: Shape,
    classes: int,
    blocks: Counts = (2, 2, 2, 2),
    widths: Counts | None = None,
    *,
    width: int = 64,
    **options: Any,
) -> Sequential:
    """Build the pre-activation ResNet of PIT, currents added between neurons.

    A 3x3 ``stem`` without bias and without neurons; stages of ``blocks`` PreActBlocks, from the second stage
    on at half the resolution; ``norm``, ``neuron``, average over the map, ``dense``, ``readout``. The stem is
    as wide as the first stage. ``widths`` are the stages' channels, by default ``width``, doubled from stage
    to stage; other keywords are ``Options``. Layers are named ``stage1.block1.conv1`` and so on.

    Raises
    ------
    ModelError
        On a parameter out of range.
    """
    common, shape = Options(**options), image_shape(in_shape)
    blocks, widths = _sizes(blocks, widths, width)
    layers = OrderedDict(common.stem(shape, widths[0], 3))
    layers.update(stages(PreActBlock, common, widths[0], widths, blocks))
    layers.update(norm=BatchNorm(widths[-1]), neuron=common.neurons(widths[-1]))
    layers.update(global_pool() | common.head(widths[-1], classes))
    return Sequential(layers)


def preact_resnet18(in_shape: Shape, classes: int, **keywords: Any) -> Sequential:
    """Build ``preact_resnet`` with 2, 2, 2, 2 blocks: 11.2 million parameters at width 64 and 10 classes."""
    return preact_resnet(in_shape, classes, (2, 2, 2, 2), **keywords)


def preact_resnet34(in_shape: Shape, classes: int, **keywords: Any) -> Sequential:
    """Build ``preact_resnet`` with 3, 4, 6, 3 blocks."""
    return preact_resnet(in_shape, classes, (3, 4, 6, 3), **keywords)


def resnet19(in_shape: Shape, classes: int, *, width: int = 128, **options: Any) -> Sequential:
    """Build the ResNet19 of the literature on spiking networks (Zheng et al., 2021, with tdBN).

    ``stem`` (3x3 without bias), ``norm``, ``neuron``; three stages of 3, 3 and 2 PostActBlocks with 128, 256
    and 512 channels, where ``width`` stands for the 128, the last two at half the resolution of the stage
    before; average over the map; ``dense1`` with bias and ``2 * width`` outputs, ``neuron1``; ``dense``,
    ``readout``. Where ``dense1`` is binary, a batch norm ``norm1`` takes the place of its bias. Plain batch
    norm over time and batch takes the place of tdBN, whose only difference is a constant gain. Other keywords
    are ``Options``.

    Raises
    ------
    ModelError
        On a parameter out of range.
    """
    common, blocks, widths = Options(**options), *_sizes((3, 3, 2), None, width)
    layers = _post_activation(in_shape, common, blocks, widths)
    binary = common.alpha is not None
    layers["dense1"] = common.dense(widths[-1], 2 * width, bias=not binary)
    if binary:
        layers["norm1"] = BatchNorm(2 * width)
    layers["neuron1"] = common.neurons(2 * width)
    layers.update(common.head(2 * width, classes))
    return Sequential(layers)


def resnet20(in_shape: Shape, classes: int, *, width: int = 16, **options: Any) -> Sequential:
    """Build the ResNet20 for CIFAR (He et al., 2016) with neurons for its ReLUs.

    ``stem`` (3x3 without bias), ``norm``, ``neuron``; three stages of 3 PostActBlocks with 16, 32 and 64
    channels, where ``width`` stands for the 16, the last two at half the resolution of the stage before;
    average over the map, ``dense``, ``readout``. Shortcuts that change shape are 1x1 convolutions with batch
    norm. Papers on spiking networks also give the name to wider networks. Other keywords are ``Options``.

    Raises
    ------
    ModelError
        On a parameter out of range.
    """
    common, blocks, widths = Options(**options), *_sizes((3, 3, 3), None, width)
    layers = _post_activation(in_shape, common, blocks, widths)
    layers.update(common.head(widths[-1], classes))
    return Sequential(layers)


def sew_resnet(
    in_shape: Shape,
    classes: int,
    blocks: Counts = (2, 2, 2, 2),
    widths: Counts | None = None,
    *,
    width: int = 64,
    tie: bool = True,
    stem: str = "small",
    **options: Any,
) -> Sequential:
    """Build the SEW ResNet (Fang et al., 2021) with ADD: spikes are added behind the neurons.

    ``stem``, ``norm``, ``neuron``; stages of ``blocks`` SEWBlocks, from the second stage on at half the
    resolution; average over the map, ``dense``, ``readout``. A "small" stem is a 3x3 convolution, a "large"
    one the 7x7 convolution of stride 2 and the 3x3 ``max_pool`` of stride 2 for images of ImageNet's size.
    ``widths`` are the stages' channels, by default ``width``, doubled from stage to stage; other keywords are
    ``Options``. With ``tie`` all PIT neurons whose outputs are added up share their scale, so that every sum
    is one source of integer levels (I-LIF and LIF have equal scales anyway). QBLIF and ReverB neurons learn
    scales that cannot be shared, so they need ``tie=False``; a sum may then hold up to 4 of them.

    Raises
    ------
    ModelError
        On a parameter out of range, or if neurons other than PIT with scales of their own are to be tied.
    """
    common, shape = Options(**options), image_shape(in_shape)
    blocks, widths = _sizes(blocks, widths, width)
    checks.choice("Stem", stem, ("small", "large"))
    kernel, stride = (3, 1) if stem == "small" else (7, 2)
    layers = OrderedDict(common.stem(shape, widths[0], kernel, stride))
    layers.update(norm=BatchNorm(widths[0]), neuron=common.neurons(widths[0]))
    if stem == "large":
        layers["max_pool"] = MaxPool2d(3, 2, 1)
    layers.update(stages(SEWBlock, common, widths[0], widths, blocks))
    layers.update(global_pool() | common.head(widths[-1], classes))
    model, neuron = Sequential(layers), layers["neuron"]
    if tie and isinstance(neuron, PIT):
        _tie_sums(model, len(blocks))
    elif tie and not _fixed_scale(neuron):
        raise ModelError(
            f"Tie must be False with the neuron {common.neuron!r}, whose scales differ from layer to layer, "
            f"not {tie!r}; only 'pit' neurons can share them"
        )
    return model


def sew_resnet18(in_shape: Shape, classes: int, **keywords: Any) -> Sequential:
    """Build ``sew_resnet`` with 2, 2, 2, 2 blocks."""
    return sew_resnet(in_shape, classes, (2, 2, 2, 2), **keywords)


def sew_resnet34(in_shape: Shape, classes: int, **keywords: Any) -> Sequential:
    """Build ``sew_resnet`` with 3, 4, 6, 3 blocks."""
    return sew_resnet(in_shape, classes, (3, 4, 6, 3), **keywords)


def _post_activation(
    in_shape: Shape, common: Options, blocks: Counts, widths: Counts
) -> "OrderedDict[str, torch.nn.Module]":
    """Return the layers of a ResNet of PostActBlocks up to the flat features."""
    layers = OrderedDict(common.stem(image_shape(in_shape), widths[0], 3))
    layers.update(norm=BatchNorm(widths[0]), neuron=common.neurons(widths[0]))
    layers.update(stages(PostActBlock, common, widths[0], widths, blocks))
    layers.update(global_pool())
    return layers


def _tie_sums(model: Sequential, count: int) -> None:
    """Tie the neurons whose outputs are added: in each stage those that enter its running sum."""
    running = [model.get_submodule("neuron")]
    for i in range(1, count + 1):
        for block in model.get_submodule(f"stage{i}").children():
            assert isinstance(block, SEWBlock)
            if block.shortcut is not None:
                running = [block.shortcut.get_submodule("neuron")]
            running.append(block.neuron2)
            tie_scales(*running)


def _fixed_scale(neuron: torch.nn.Module) -> bool:
    """Tell whether neither training nor the first batch can change the scale."""
    learned = any(parameter.requires_grad for parameter in neuron.parameters())
    return not learned and bool(getattr(neuron, "initialised", True))


def _sizes(blocks: Counts, widths: Counts | None, width: int) -> tuple[Counts, Counts]:
    """Check the number of blocks of each stage and return it with the stages' channels."""
    checks.integer("Width", width, 1)
    for count in blocks:
        checks.integer("Number of blocks", count, 1)
    channels = tuple(width * 2**i for i in range(len(blocks))) if widths is None else tuple(widths)
    for size in channels:
        checks.integer("Width of a stage", size, 1)
    if not blocks or len(channels) != len(blocks):
        raise ModelError(
            f"Stages must be at least one, with a width each, not blocks {blocks!r} and widths {channels!r}"
        )
    return tuple(blocks), channels
