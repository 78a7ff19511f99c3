"""Networks of SpikingJelly 2.x."""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from spikingjelly.activation_based import functional, layer, neuron, rnn
from spikingjelly.activation_based.base import StepModule
from torch import Tensor

from spikefold import nn
from spikefold.errors import InputError
from spikefold.importers import rules
from spikefold.importers.calls import FUNCTIONAL, SHAPES
from spikefold.importers.grid import Grid
from spikefold.importers.hooks import check_module, in_double, outputs, per_step, whole
from spikefold.importers.imported import Imported, Reference
from spikefold.importers.rules import Precision
from spikefold.importers.slots import Slots
from spikefold.importers.table import Converter, Place, Table
from spikefold.importers.torch_layers import (
    RECURRENT,
    STATELESS,
    TORCH,
    adaptive_pool2d,
    avg_pool2d,
    batch_norm,
    conv2d,
    flatten,
    linear,
    max_pool2d,
    nothing,
    refused,
)
from spikefold.importers.tracing import repeats
from spikefold.importers.walk import walk
from spikefold.nn import checks
from spikefold.nn.functional import NEAREST

_ACCEPTED = (
    "IFNode, LIFNode, ParametricLIFNode, ILIFNode; layer.Conv2d, Linear, BatchNorm, AvgPool2d, MaxPool2d, "
    "AdaptiveAvgPool2d, Flatten, Dropout, VotingLayer; sums"
)
_NEURONS = "IFNode, LIFNode, ParametricLIFNode or ILIFNode"
_BATCH_NORMS = (
    layer.BatchNorm1d,
    layer.BatchNorm2d,
    layer.ThresholdDependentBatchNorm1d,
    layer.ThresholdDependentBatchNorm2d,
)
_ATTENTION = (
    layer.TemporalWiseAttention,
    layer.MultiDimensionalAttention,
    layer.SpikingSelfAttention,
    layer.QKAttention,
    layer.TokenQKAttention,
    layer.ChannelQKAttention,
    layer.SpikeDrivenSelfAttention,
)
_RECURRENT = (
    layer.ElementWiseRecurrentContainer,
    layer.LinearRecurrentContainer,
    rnn.SpikingRNNBase,
    rnn.SpikingLSTM,
    rnn.SpikingVanillaRNN,
    rnn.SpikingGRU,
)
_PER_STEP = (
    layer.TemporalEffectiveBatchNorm1d,
    layer.TemporalEffectiveBatchNorm2d,
    layer.BatchNormThroughTime1d,
    layer.BatchNormThroughTime2d,
)
_REFUSED: dict[type, Converter] = {
    **dict.fromkeys(
        _ATTENTION, refused("multiplies activations by activations", "networks without attention")
    ),
    **dict.fromkeys(_RECURRENT, RECURRENT),
    **dict.fromkeys(_PER_STEP, refused("has other parameters at every time step", "layer.BatchNorm2d")),
    **dict.fromkeys(
        (layer.GroupNorm, layer.NeuNorm),
        refused("takes its statistics from every sample", "layer.BatchNorm2d"),
    ),
    **dict.fromkeys(
        (neuron.CUBALIFNode, neuron.NoisyCUBALIFNode, layer.SynapseFilter),
        refused("keeps a synaptic current from step to step", _NEURONS),
    ),
    **dict.fromkeys(
        (neuron.QIFNode, neuron.EIFNode, neuron.IzhikevichNode),
        refused("charges its membrane by a nonlinear law", _NEURONS),
    ),
    **dict.fromkeys(
        (neuron.PSN, neuron.MaskedPSN, neuron.SlidingPSN),
        refused("weighs all time steps by a matrix", _NEURONS),
    ),
    **dict.fromkeys(
        (neuron.TernaryIFNode, neuron.TernaryLIFNode), refused("fires negative spikes", _NEURONS)
    ),
    **dict.fromkeys(
        (neuron.NonSpikingIFNode, neuron.NonSpikingLIFNode),
        refused("reads membranes out", "the mean over time of the last layer's currents"),
    ),
    layer.Delay: refused("delays spikes", "layers that give at once what they read"),
}


def load(
    source: torch.nn.Module,
    grid: Grid,
    *,
    leak_terms: int = 3,
    leak_error: float = 0.02,
    rounding: str = "half_even",
) -> Imported:
    """Import a network of SpikingJelly.

    Parameters
    ----------
    source
        A module of SpikingJelly's layers and neurons, its weights loaded, all in one step mode: "m" (it
        reads [T, B, ...], or repeats [B, ...] itself) or "s" (it reads one step at a time). It may end with
        the mean over time.
    grid
        The input.
    leak_terms, leak_error
        Most shifts that a leak is the sum of, and how far it may be off then.
    rounding
        Of I-LIF's ties: "half_even" as in the source, or "half_up", and those that differ are counted.

    Raises
    ------
    ImportRefusal
        If a layer has no counterpart.
    InputError
        If the source is no module, or its layers are in different step modes.
    """
    check_module(source)
    lead = 2 if _multi_step(source) else 1
    if repeats(source) and not grid.static:
        raise InputError(
            "Input must be static where the network itself repeats a sample, not one array a step"
        )
    probe = grid.samples(grid.random(2))
    table = _table(Precision(leak_terms, leak_error), checks.choice("I-LIF rounding", rounding, NEAREST))
    imported = walk(source, table, grid, probe, lead)
    nn.remember_leak_terms(imported.model, leak_terms)
    return imported


def reference(source: torch.nn.Module) -> Reference:
    """The network itself, in float64; its state is reset before every run."""
    check_module(source)
    module = in_double(source)
    inner = tuple(
        f"{name}." for name, one in module.named_modules() if type(one) is layer.MultiStepContainer and name
    )

    def run(x: Tensor) -> dict[str, Tensor]:
        functional.reset_net(module)
        if _multi_step(module):
            found = outputs(module, lambda: module(x[0] if repeats(module) else x))
            steps = {name: values for name, values in found.items() if name.startswith(inner)}
            rest = {name: values for name, values in found.items() if name not in steps}
            return whole(rest) | per_step(steps, len(x))
        found = outputs(module, lambda: torch.stack([module(one) for one in x]))
        return per_step(found, len(x))

    return run


def _multi_step(module: torch.nn.Module) -> bool:
    """Whether the network reads all steps at once."""
    modes: dict[str, str] = {}
    _modes("", module, modes)
    if len(set(modes.values())) > 1:
        single = next(name for name, mode in modes.items() if mode == "s")
        raise InputError(
            f"All layers must be in one step mode, but {single!r} is in 's' beside others in 'm'; call "
            "functional.set_step_mode(net, 'm')"
        )
    return "m" in modes.values()


def _modes(path: str, module: torch.nn.Module, modes: dict[str, str]) -> None:
    """The step mode of every layer that is in no container with a mode of its own."""
    if isinstance(module, StepModule):  # one that has no mode set knows all steps at once only
        modes[path] = str(getattr(module, "step_mode", "m"))
        return
    for name, child in module.named_children():
        _modes(f"{path}.{name}" if path else name, child, modes)


def _table(precision: Precision, rounding: str) -> Table:
    """What SpikingJelly's classes become; made anew for each network, as counts may be split into slots."""
    slots = Slots()
    guarded = slots.guard
    return Table(
        layers=TORCH
        | {
            layer.Conv2d: slots.weights(conv2d),
            layer.Linear: slots.weights(linear),
            torch.nn.Conv2d: slots.weights(conv2d),
            torch.nn.Linear: slots.weights(linear),
            **dict.fromkeys(_BATCH_NORMS, guarded(batch_norm)),
            layer.AvgPool2d: avg_pool2d,
            layer.MaxPool2d: guarded(max_pool2d),
            layer.AdaptiveAvgPool2d: adaptive_pool2d,
            layer.Flatten: _flatten,
            layer.VotingLayer: _voting,
            layer.SpikeCountToBinary: slots.split,
            layer.TemporalBinSum: slots.join,
            **dict.fromkeys((layer.Dropout, layer.Dropout2d, layer.PrintShapeModule), nothing),
            neuron.IFNode: guarded(partial(_lif, precision=precision)),
            neuron.LIFNode: guarded(partial(_lif, precision=precision)),
            neuron.ParametricLIFNode: guarded(partial(_lif, precision=precision)),
            neuron.ILIFNode: guarded(slots.counts(partial(_ilif, precision=precision, rounding=rounding))),
            **_REFUSED,
        },
        chains={
            torch.nn.Sequential: None,
            layer.MultiStepContainer: 1,
            layer.SeqToANNContainer: 1,
        },
        functions=SHAPES | FUNCTIONAL,
        stateless=(*STATELESS, layer.AvgPool2d, layer.MaxPool2d, layer.AdaptiveAvgPool2d, layer.Flatten),
        accepted=_ACCEPTED,
    )


def _lif(node: Any, place: Place, precision: Precision) -> torch.nn.Module:
    """IF, LIF and parametric LIF: one spike at most."""
    leaks, gain = _charge(node, place)
    surrogate = node.surrogate_function
    rules.step(place.name, type(surrogate).__name__, surrogate, 1, "a spiking surrogate: 0 or 1")
    if node.v_reset is not None:
        rules.zero(place.name, "v_reset", node.v_reset)
    near = place.noted(*rules.leaks(place.name, leaks, precision))
    return nn.LIF(
        place.channels,
        rules.threshold(place.name, node.v_threshold),
        place.steps,
        near,
        reset="subtract" if node.v_reset is None else "zero",
        input_decay=gain,
    )


def _ilif(node: Any, place: Place, precision: Precision, rounding: str) -> torch.nn.Module:
    """I-LIF: up to D spikes, rounded half to even."""
    place.half_even = rounding != "half_even"
    levels = rules.levels(place.name, int(node.surrogate_function.max_spike_count))
    leaks = 1 - 1 / place.per_channel("tau", torch.as_tensor(node.tau).double())
    near = place.noted(*rules.leaks(place.name, leaks, precision))
    threshold = rules.threshold(place.name, node.v_threshold)
    return nn.ILIF(place.channels, levels, place.steps, near, threshold=threshold, rounding=rounding)


def _charge(node: Any, place: Place) -> tuple[Tensor, bool]:
    """The leak of each channel, and whether the current is times one minus it."""
    if isinstance(node, neuron.IFNode):
        return torch.ones(place.channels), False
    if isinstance(node, neuron.ParametricLIFNode):
        return 1 - place.per_channel("w", node.w.double().sigmoid()), bool(node.decay_input)
    return 1 - 1 / place.per_channel("tau", torch.as_tensor(node.tau).double()), bool(node.decay_input)


def _flatten(node: Any, place: Place) -> torch.nn.Module | None:
    """SpikingJelly's own flatten counts its axes without time, in both step modes."""
    return flatten(node, replace(place, lead=1))


def _voting(node: Any, place: Place) -> torch.nn.Module:
    """The mean of groups of neurons as a dense layer."""
    size = int(node.voting_size)
    dense = nn.Dense(place.channels, place.channels // size, bias=False)
    groups = torch.arange(place.channels) // size
    with torch.no_grad():
        dense.weight.copy_((groups == torch.arange(place.channels // size)[:, None]) / size)
    return dense
