"""The layer kinds spikefold knows: what may appear in a graph and in a model file.

A kind names the classes it covers, the class a model file is rebuilt with, and how its constructor
parameters are read back. Adding a layer means adding one entry here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from spikefold.nn.binary import BinaryConv2d, BinaryDense
from spikefold.nn.convolution import Conv2d
from spikefold.nn.input import Input
from spikefold.nn.layers import Add, BatchNorm, Dense, Dropout, Flatten, Readout
from spikefold.nn.neurons import ILIF, LIF, PIT, QBLIF, Leaky, ReverB, SpikingNeuron
from spikefold.nn.pooling import AvgPool2d, GlobalAvgPool, MaxPool2d


@dataclass(frozen=True)
class Kind:
    """One layer kind: ``build(**config(module))`` makes an equal layer with fresh tensors.

    ``several`` tells whether it reads two or more tensors, rather than one.
    """

    name: str
    build: type[torch.nn.Module]
    config: Callable[[Any], dict[str, Any]]
    aliases: tuple[type[torch.nn.Module], ...] = ()
    several: bool = False

    @property
    def types(self) -> tuple[type[torch.nn.Module], ...]:
        """Every class of this kind."""
        return (self.build, *self.aliases)


def _attributes(*names: str) -> Callable[[Any], dict[str, Any]]:
    return lambda module: {name: getattr(module, name) for name in names}


def _input(module: Input) -> dict[str, Any]:
    config = _attributes("levels", "minimum", "maximum", "steps", "static", "pad")(module)
    config["shape"] = list(module.shape)
    config["mean"] = None if module.mean is None else module.mean.tolist()
    config["std"] = None if module.std is None else module.std.tolist()
    return config


def _dense(module: torch.nn.Linear) -> dict[str, Any]:
    bias = module.bias is not None
    return {"in_features": module.in_features, "out_features": module.out_features, "bias": bias}


def _conv(module: Conv2d) -> dict[str, Any]:
    config = _attributes("in_channels", "out_channels", "groups")(module)
    return config | _window(module) | {"bias": module.bias is not None}


def _binary_dense(module: BinaryDense) -> dict[str, Any]:
    return _dense(module) | {"alpha": module.alpha_mode}


def _binary_conv(module: BinaryConv2d) -> dict[str, Any]:
    return _conv(module) | {"alpha": module.alpha_mode}


def _window(module: Conv2d | AvgPool2d | MaxPool2d) -> dict[str, Any]:
    return {"kernel": module.kernel_size, "stride": module.stride, "padding": module.padding}


def _batch_norm(module: torch.nn.BatchNorm1d) -> dict[str, Any]:
    return {"channels": module.num_features, "eps": module.eps, "momentum": module.momentum}


def _neuron(*names: str) -> Callable[[SpikingNeuron], dict[str, Any]]:
    """Read back what all neurons with a choice of reset and surrogate take, and the attributes named."""
    shared = _attributes("channels", "steps", "leak", "rectify", "input_decay", "surrogate", *names)
    return lambda module: shared(module) | {"reset": module.reset_mode}


def _constant(*names: str) -> Callable[[LIF | ILIF], dict[str, Any]]:
    shared = _neuron(*names)
    return lambda module: shared(module) | {"threshold": module.firing_threshold}


def _leaky(module: Leaky) -> dict[str, Any]:
    config = _attributes("channels", "steps", "leak", "rectify", "surrogate")(module)
    return config | {"threshold": module.firing_threshold}


def _reverb(module: ReverB) -> dict[str, Any]:
    config = _attributes("channels", "bits", "steps", "leak", "learn")(module)
    return config | {"threshold": module.fire_floor, "alpha": module.alpha_mode}


_QBLIF = ("channels", "levels", "steps", "leak", "reset_factor", "surrogate", "init", "per_channel", "learn")

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("input", Input, _input),
        Kind("dense", Dense, _dense, (torch.nn.Linear,)),
        Kind("batch_norm", BatchNorm, _batch_norm, (torch.nn.BatchNorm1d,)),
        Kind("conv", Conv2d, _conv),
        Kind("binary_dense", BinaryDense, _binary_dense),
        Kind("binary_conv", BinaryConv2d, _binary_conv),
        Kind("avg_pool", AvgPool2d, _window),
        Kind("max_pool", MaxPool2d, _window),
        Kind("global_avg_pool", GlobalAvgPool, _attributes()),
        Kind("pit", PIT, _neuron("levels", "per_step", "per_channel", "learn", "init", "rounding")),
        Kind("ilif", ILIF, _constant("levels", "rounding")),
        Kind("lif", LIF, _constant()),
        Kind("leaky", Leaky, _leaky),
        Kind("qblif", QBLIF, _attributes(*_QBLIF)),
        Kind("reverb", ReverB, _reverb),
        Kind("dropout", Dropout, _attributes("p"), (torch.nn.Dropout,)),
        Kind("identity", torch.nn.Identity, _attributes()),
        Kind("flatten", Flatten, _attributes(), (torch.nn.Flatten,)),
        Kind("add", Add, _attributes(), several=True),
        Kind("readout", Readout, _attributes()),
    )
}

LAYERS = tuple(layer for kind in KINDS.values() for layer in kind.types)


def kind_of(module: torch.nn.Module) -> Kind | None:
    """Return the kind of ``module``, or None.

    A subclass that brings its own ``forward`` computes something else and is no layer of that kind.
    """
    for kind in KINDS.values():
        for base in kind.types:
            if isinstance(module, base) and type(module).forward is base.forward:
                return kind
    return None


def supported() -> str:
    """Return the supported layers as a list for messages."""
    names = [f"spikefold.nn.{kind.build.__name__}" for kind in KINDS.values() if kind.name != "identity"]
    return ", ".join([*names, "torch.nn.Linear, BatchNorm1d, Dropout, Identity, Flatten"])
