"""Plain PyTorch networks with ReLUs: activations become levels of a calibrated scale, at one time step."""

import math
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from spikefold import nn
from spikefold.errors import ImportRefusal, InputError
from spikefold.importers import rules
from spikefold.importers.calls import FUNCTIONAL, SHAPES, Call, Function, Meaning
from spikefold.importers.grid import Grid, spread
from spikefold.importers.hooks import check_module, in_double, outputs, whole
from spikefold.importers.imported import Imported, Note, Reference
from spikefold.importers.scales import best_scales
from spikefold.importers.table import Converter, Place, Table
from spikefold.importers.torch_layers import STATELESS, TORCH, refused
from spikefold.importers.walk import walk

_ACTIVATIONS = (torch.nn.ReLU, torch.nn.ReLU6, torch.nn.Hardtanh)
_ACCEPTED = (
    "torch.nn.Conv2d, Linear, BatchNorm, AvgPool2d, MaxPool2d, AdaptiveAvgPool2d, Flatten, Dropout, ReLU, "
    "ReLU6, Hardtanh from 0; sums"
)
_OTHERS = (
    *(torch.nn.GELU, torch.nn.SiLU, torch.nn.Sigmoid, torch.nn.Tanh, torch.nn.LeakyReLU, torch.nn.PReLU),
    *(torch.nn.ELU, torch.nn.Softplus, torch.nn.Hardswish, torch.nn.Mish),
)
_MOST_SAMPLES = 128


def load(
    source: torch.nn.Module,
    grid: Grid,
    *,
    calibration: object = None,
    levels: int = 15,
    per_channel: bool = True,
) -> Imported:
    """Convert a network with ReLUs, or activations clamped from 0 on, to neurons of D levels at T = 1.

    Every activation gets the scale, one per channel, with the least squared error on calibration samples;
    what stands before it in the network is converted already then.

    Parameters
    ----------
    source
        A module of `torch.nn` layers, its weights loaded, that reads [B, ...].
    grid
        The input; one time step.
    calibration
        Raw samples [N, *shape], of which at most 128 are used, evenly spread.
    levels
        D of every neuron, 1..255.
    per_channel
        One scale per channel, or one for all.

    Raises
    ------
    ImportRefusal
        If a layer has no counterpart.
    InputError
        If the source is no module, there are no calibration samples, or several time steps.
    """
    check_module(source)
    if grid.steps != 1 or not grid.static:
        raise InputError(f"Input of a network without time must have 1 static step, not {grid.steps}")
    convert = partial(_levels, levels=rules.levels("activations", levels), per_channel=per_channel)
    if calibration is None:
        raise InputError("Calibration samples must be given: the scales of activations are measured on them")
    probe = grid.samples(spread(calibration, _MOST_SAMPLES))
    return replace(walk(source, _table(convert), grid, probe, lead=1), exact=False)


def reference(source: torch.nn.Module) -> Reference:
    """The network itself, in float64."""
    check_module(source)
    module = in_double(source)

    def run(x: Tensor) -> dict[str, Tensor]:
        return whole(outputs(module, lambda: module(x[0])))

    return run


def _table(convert: Converter) -> Table:
    return Table(
        layers=TORCH
        | dict.fromkeys(_ACTIVATIONS, convert)
        | dict.fromkeys(_OTHERS, refused("is no ReLU", "ReLU, ReLU6, or Hardtanh from 0"))
        | dict.fromkeys(
            (torch.nn.Softmax, torch.nn.LogSoftmax),
            refused("divides by a sum", "the network without it, as it changes no class"),
        ),
        chains={torch.nn.Sequential: None},
        functions=SHAPES | FUNCTIONAL | _FUNCTIONS,
        stateless=(*STATELESS, *_ACTIVATIONS),
        accepted=_ACCEPTED,
    )


def _levels(layer: torch.nn.Module, place: Place, levels: int, per_channel: bool) -> torch.nn.Module:
    """A PIT neuron with the best scale for what the activation reads."""
    most = _most(layer, place)
    activation = place.value[0].clamp(min=0, max=most)
    channels = activation.transpose(0, 1).flatten(1)
    scales, error = best_scales(channels if per_channel else channels.reshape(1, -1), levels)
    neuron = nn.PIT(place.channels, levels, 1, per_channel=per_channel, init=1.0)
    with torch.no_grad():
        neuron.log_scale.copy_(scales.clamp(max=most / levels).log()[None])
    place.notes.append(Note(place.name, f"became {levels} levels of a calibrated scale", error))
    return neuron


def _most(layer: torch.nn.Module, place: Place) -> float:
    """The value at which the activation saturates."""
    if isinstance(layer, torch.nn.ReLU):
        return math.inf
    assert isinstance(layer, torch.nn.Hardtanh)  # and so is ReLU6
    if layer.min_val != 0 or layer.max_val <= 0:
        raise ImportRefusal(
            place.name, f"it gives values from {layer.min_val:g} to {layer.max_val:g}", "clamps from 0 on"
        )
    return float(layer.max_val)


def _clamp(call: Call) -> Meaning | None:
    low, high = call.get(1, "min"), call.get(2, "max")
    if low != 0:
        return None
    return torch.nn.ReLU() if high is None else torch.nn.Hardtanh(0.0, high)


_FUNCTIONS: dict[Any, Function] = {
    **dict.fromkeys(
        (torch.relu, torch.relu_, torch.nn.functional.relu, "relu", "relu_"), lambda call: torch.nn.ReLU()
    ),
    torch.nn.functional.relu6: lambda call: torch.nn.ReLU6(),
    **dict.fromkeys((torch.clamp, "clamp", "clamp_"), _clamp),
}
