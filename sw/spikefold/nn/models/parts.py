"""What the builders of convolutional networks share: their common options and the layers made from them."""

from dataclasses import dataclass

import torch

from spikefold.errors import ModelError
from spikefold.nn import checks
from spikefold.nn.convolution import Conv2d
from spikefold.nn.input import Input, Normalisation
from spikefold.nn.layers import Dense, Dropout, Flatten, Readout
from spikefold.nn.maps import Size, window_count
from spikefold.nn.neurons import ILIF, LIF, PIT, SpikingNeuron
from spikefold.nn.pooling import AvgPool2d, GlobalAvgPool, MaxPool2d

NEURONS = ("pit", "ilif", "lif")


@dataclass(frozen=True)
class Options:
    """Keyword arguments that every builder of a convolutional network takes.

    Parameters
    ----------
    neuron : "pit", "ilif" or "lif".
    levels : D, 4 by default (LIF: always 1).
    steps, leak, rectify : T, leak and lambda of every neuron; None for the class's own lambda.
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
    leak: float = 0.5
    rectify: float | None = None
    input_levels: int = 16
    minimum: float = 0.0
    maximum: float = 1.0
    mean: Normalisation = None
    std: Normalisation = None
    static: bool = True
    dropout: float = 0.0

    def neurons(self, channels: int) -> SpikingNeuron:
        """Return a layer of neurons, one set of parameters per channel."""
        return make_neuron(self.neuron, channels, self.levels, self.steps, self.leak, self.rectify)

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

    def input(self, in_shape: tuple[int, int, int], pad: int = 0) -> Input:
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
        raise ModelError(f"Input shape must be (channels, height, width), not {in_shape!r}")
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


def make_neuron(
    neuron: str, channels: int, levels: int | None, steps: int, leak: float, rectify: float | None
) -> SpikingNeuron:
    """Build the neuron layer called "pit", "ilif" or "lif"; None means the class's own default."""
    checks.choice("Neuron", neuron, NEURONS)
    options = {"steps": steps, "leak": leak} | ({} if rectify is None else {"rectify": rectify})
    if neuron == "lif":
        if levels not in (None, 1):
            raise ModelError(f"LIF levels (D) must be 1, not {levels!r}; use 'ilif' or 'pit' for more")
        return LIF(channels, **options)
    return (PIT if neuron == "pit" else ILIF)(channels, 4 if levels is None else levels, **options)
