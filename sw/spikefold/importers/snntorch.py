"""Networks of snnTorch: `Leaky` neurons between torch's layers."""

import operator
from functools import partial
from typing import Any

import snntorch
import torch
from torch import Tensor

from spikefold import nn
from spikefold.errors import ImportRefusal, InputError
from spikefold.importers import rules
from spikefold.importers.calls import FUNCTIONAL, SHAPES, stack, step_item
from spikefold.importers.grid import Grid
from spikefold.importers.hooks import check_module, in_double, outputs, per_step
from spikefold.importers.imported import Imported, Note, Reference
from spikefold.importers.rules import Precision
from spikefold.importers.table import Place, Table
from spikefold.importers.torch_layers import RECURRENT, STATELESS, TORCH, refused
from spikefold.importers.tracing import loops, reads_frames
from spikefold.importers.walk import walk
from spikefold.nn.neurons.leak import PerChannel

_EPS = 2.0**-17  # of a batch norm that is nothing but a gain: 1 - eps is a float of its own
_NEURONS = "Leaky, with reset_mechanism subtract, zero or none"
_CURRENT = refused("keeps a synaptic current from step to step", _NEURONS)


def load(source: torch.nn.Module, grid: Grid, *, leak_terms: int = 3, leak_error: float = 0.02) -> Imported:
    """Import a network of snnTorch.

    Betas and thresholds may be learnt and differ between channels. Where a forward returns spikes and
    membranes, the spikes count; the readout is their mean over time.

    Parameters
    ----------
    source
        A module of torch's layers and `snntorch.Leaky`, its weights loaded. Its forward runs one time step
        (with `init_hidden=True`), or loops over all of them, from membranes at 0, and stacks the spikes.
    grid
        The input.
    leak_terms, leak_error
        Most shifts that a leak is the sum of, and how far it may be off then.

    Raises
    ------
    ImportRefusal
        If a layer has no counterpart.
    InputError
        If the source is no module.
    """
    check_module(source)
    probe = grid.samples(grid.random(2))
    if loops(source) and reads_frames(source) == grid.static:
        raise InputError(
            "Input must be one array a step where a forward takes the steps from it, and static where it "
            f"does not, but static is {grid.static}"
        )
    imported = walk(source, _table(Precision(leak_terms, leak_error)), grid, probe, lead=1)
    nn.remember_leak_terms(imported.model, leak_terms)
    return imported


def reference(source: torch.nn.Module) -> Reference:
    """The network itself, in float64; its membranes are reset before every run."""
    check_module(source)
    module = in_double(source)
    for layer in module.modules():
        layer.register_forward_pre_hook(_doubled)

    def run(x: Tensor) -> dict[str, Tensor]:
        for layer in module.modules():
            if isinstance(layer, snntorch.Leaky):
                layer.reset_mem()
        if loops(module):
            found = outputs(module, lambda: module(x if reads_frames(module) else x[0]))
        else:
            found = outputs(module, lambda: torch.stack([_spikes(module(one)) for one in x]))
        return per_step(found, len(x))

    return run


def _doubled(layer: torch.nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    """Spikes come in float32 whatever the module's dtype."""
    return tuple(one.double() if isinstance(one, Tensor) else one for one in given)


def _spikes(result: Any) -> Any:
    return result[0] if isinstance(result, tuple) else result


def _table(precision: Precision) -> Table:
    """What snnTorch's classes become."""
    recurrent = (snntorch.RLeaky, snntorch.RSynaptic, snntorch.SLSTM, snntorch.SConv2dLSTM)
    return Table(
        layers=TORCH
        | {snntorch.Leaky: partial(_leaky, precision=precision)}
        | dict.fromkeys(recurrent, RECURRENT)
        | dict.fromkeys((snntorch.Synaptic, snntorch.Alpha), _CURRENT)
        | {snntorch.Lapicque: refused("charges through a resistor and a capacitor", _NEURONS)},
        chains={torch.nn.Sequential: None},
        functions=SHAPES | FUNCTIONAL | {operator.getitem: step_item, torch.stack: stack},
        stateless=STATELESS,
        accepted=f"torch.nn.Conv2d, Linear, BatchNorm, pools, Flatten, Dropout; {_NEURONS}; sums",
        membranes=(snntorch.Leaky,),
    )


def _leaky(node: Any, place: Place, precision: Precision) -> Any:
    """A neuron for snnTorch's; channels of different thresholds get a gain before it."""
    _check_options(node, place)
    thresholds = place.per_channel("threshold", node.threshold)
    for value in set(thresholds.tolist()):
        rules.threshold(place.name, value)
    one = float(thresholds[0])
    uniform = bool((thresholds == one).all())
    betas = place.per_channel("beta", node.beta).clamp(0, 1)
    leak = place.noted(*rules.leaks(place.name, betas, precision))
    neuron = _neuron(node, place, one if uniform else 1.0, leak)
    place.strict = True
    return neuron if uniform else (_gain(1 / thresholds), neuron)


def _neuron(node: Any, place: Place, threshold: float, leak: PerChannel) -> torch.nn.Module:
    """The neuron by its reset; a soft one comes after the next leak unless reset_delay is False."""
    reset = ("subtract", "zero", "none")[int(node.reset_mechanism_val)]
    if reset == "subtract" and not node.reset_delay:
        text = "where a membrane is above twice the threshold, snnTorch's reset_delay=False takes it back"
        place.notes.append(Note(place.name, text))
    elif reset == "subtract" and leak != 1 and place.steps > 1:
        least = min(leak) if isinstance(leak, tuple) else leak
        if least < 0.5:
            raise ImportRefusal(
                place.name,
                f"its soft reset comes after a leak of {least:g}, below 1/2",
                'a beta of at least 0.5, reset_mechanism="zero", or reset_delay=False',
            )
        return nn.Leaky(place.channels, threshold, place.steps, leak)
    return nn.LIF(place.channels, threshold, place.steps, leak, reset=reset)


def _check_options(node: Any, place: Place) -> None:
    if node.state_quant:
        raise ImportRefusal(place.name, "its membrane is quantized on the way", "state_quant=False")
    if node.inhibition:
        raise ImportRefusal(place.name, "its neurons inhibit each other", "inhibition=False")
    if not bool((node.graded_spikes_factor == 1).all()):
        raise ImportRefusal(
            place.name,
            f"its spikes are worth {node.graded_spikes_factor.tolist()}",
            "graded_spikes_factor=1, and the factor in the next weights",
        )
    grad = getattr(node.spike_grad, "__name__", "surrogate")
    rules.step(place.name, grad, node.spike_grad, 0, "spikes of 0 or 1")


def _gain(values: Tensor) -> torch.nn.Module:
    """A batch norm that is a gain per channel."""
    norm = nn.BatchNorm(len(values), eps=_EPS).double()
    with torch.no_grad():
        norm.weight.copy_(values)
        assert norm.running_var is not None  # a batch norm of this package keeps it
        norm.running_var.fill_(1 - _EPS)
    return norm
