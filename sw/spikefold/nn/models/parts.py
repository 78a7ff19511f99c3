"""What the builders share: their common options and the layers made from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from spikefold.errors import ModelError, shown
from spikefold.nn import checks
from spikefold.nn.binary import BinaryConv2d, BinaryDense
from spikefold.nn.convolution import Conv2d
from spikefold.nn.input import Input, Normalisation
from spikefold.nn.layers import Dense, Dropout, Flatten, Readout
from spikefold.nn.maps import Size, window_count
from spikefold.nn.models.neurons import make_neuron
from spikefold.nn.neurons import SpikingNeuron
from spikefold.nn.pooling import AvgPool2d, GlobalAvgPool, MaxPool2d

BINARY = ("none", "plain", "learnable")


@dataclass(frozen=True)
class Options:
    """Keyword arguments that every builder takes.

    Parameters
    ----------
    neuron : a name in ``NEURONS``.
    levels : D, by default that of the neuron's class; LIF has 1 and ReverB its ``bits``.
    steps, leak, rectify : T, leak and lambda of every neuron; None for the class's own leak and lambda.
    neuron_options : more keyword arguments for the neuron's class, such as ``{"per_step": False}``.
    binary : which weights have one bit, those of the first and of the last layer of weights never: "none";
        "plain", +1 and -1; "learnable", with an amplitude per channel that is trained, on the side of the
        neuron for ReverB (Eq. 18), else as alpha "output". None is "plain" for ReverB and else "none".
    input_levels : D_in.
    minimum, maximum : range of the raw pixels.
    mean, std : normalisation of the raw pixels, a number or one per channel. By default the levels are worth
        0..1. If level 0 is then not worth 0, the input is padded instead of the first convolution.
    static : whether a sample is one image, repeated for all steps, or brings one per step.
    dropout : probability before the last dense layer; 0 for none.
    """

    neuron: str = "pit"
    levels: int | None = None
    steps: int = 1
    leak: float | None = None
    rectify: float | None = None
    neuron_options: Mapping[str, Any] = field(default_factory=dict)
    binary: str | None = None
    input_levels: int = 16
    minimum: float = 0.0
    maximum: float = 1.0
    mean: Normalisation = None
    std: Normalisation = None
    static: bool = True
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Check what no layer checks."""
        if self.binary is not None:
            checks.choice("Binary", self.binary, BINARY)
        if not isinstance(self.neuron_options, Mapping):
            raise ModelError(f"Neuron options must be a mapping, not {shown(self.neuron_options)}")

    @property
    def alpha(self) -> str | None:
        """The alpha of binary layers, or None where weights are real."""
        binary = self.binary or ("plain" if self.neuron == "reverb" else "none")
        if binary == "none":
            return None
        return "output" if binary == "learnable" and self.neuron != "reverb" else "none"

    def neurons(self, channels: int) -> SpikingNeuron:
        """Return a layer of neurons."""
        learnable = self.binary == "learnable" and self.neuron == "reverb"
        options = ({"alpha": "channel"} if learnable else {}) | dict(self.neuron_options)
        return make_neuron(self.neuron, channels, self.levels, self.steps, self.leak, self.rectify, options)

    def conv(
        self, before: int, channels: int, kernel: int, stride: int = 1, padding: int = 0, bias: bool = False
    ) -> Conv2d:
        """Return a convolution that is neither the first nor the last layer of weights."""
        if self.alpha is None:
            return Conv2d(before, channels, kernel, stride, padding, bias=bias)
        return BinaryConv2d(before, channels, kernel, stride, padding, bias=bias, alpha=self.alpha)

    def dense(self, before: int, features: int, bias: bool = False) -> Dense:
        """Return a dense layer that is neither the first nor the last layer of weights."""
        if self.alpha is None:
            return Dense(before, features, bias)
        return BinaryDense(before, features, bias, self.alpha)

    def stem(
        self, in_shape: tuple[int, int, int], channels: int, kernel: int, stride: int = 1
    ) -> dict[str, torch.nn.Module]:
        """Return the layers ``input`` and ``stem``, a convolution without bias and with "same" padding.

        Padding is zeros for the convolution where level 0 is worth 0, else the input's own.
        """
        encode, pad = self.input(in_shape), kernel // 2
        if bool((encode.shift == 0).all()):
            return {"input": encode, "stem": Conv2d(in_shape[0], channels, kernel, stride, pad, bias=False)}
        conv = Conv2d(in_shape[0], channels, kernel, stride, bias=False)
        return {"input": self.input(in_shape, pad), "stem": conv}

    def input(self, in_shape: tuple[int, ...], pad: int = 0) -> Input:
        """Return the input layer."""
        return Input(
            in_shape,
            self.input_levels,
            self.minimum,
            self.maximum,
            self.minimum if self.mean is None else self.mean,
            self.maximum - self.minimum if self.std is None else self.std,
            self.steps,
            self.static,
            pad,
        )

    def head(self, features: int, classes: int) -> dict[str, torch.nn.Module]:
        """Return the layers from spikes to logits: dropout if there is any, ``dense``, ``readout``."""
        layers: dict[str, torch.nn.Module] = {"dropout": Dropout(self.dropout)} if self.dropout else {}
        return layers | {"dense": Dense(features, classes), "readout": Readout()}


def global_pool() -> dict[str, torch.nn.Module]:
    """Return the layers ``pool`` and ``flatten``: maps to one number per channel."""
    return {"pool": GlobalAvgPool(), "flatten": Flatten()}


def image_shape(in_shape: object) -> tuple[int, int, int]:
    """Return ``in_shape`` if it is (channels, height, width); else raise ModelError."""
    shape = tuple(in_shape) if isinstance(in_shape, list | tuple) else ()
    if len(shape) != 3:
        raise ModelError(f"Input shape must be (channels, height, width), not {shown(in_shape)}")
    channels, height, width = (checks.integer("Input shape axis", size, 1) for size in shape)
    return channels, height, width


def make_pool(pool: str, kernel: Size) -> AvgPool2d | MaxPool2d:
    """Return the pooling called "avg" or "max"."""
    checks.choice("Pool", pool, ("avg", "max"))
    return (AvgPool2d if pool == "avg" else MaxPool2d)(kernel)


def shrink(network: str, layer: str, size: tuple[int, int], kernel: int, stride: int = 1) -> tuple[int, int]:
    """Return the rows and columns that an unpadded window leaves of a map; raise ModelError if none."""
    if min(size) < kernel:
        raise ModelError(
            f"Input of {network} must be large enough for {kernel}x{kernel} windows in {layer!r}, but only "
            f"{size[0]}x{size[1]} positions are left there; use larger images"
        )
    height, width = (window_count(length, kernel, stride, 0) for length in size)
    return height, width
