"""From a trained model to a design: fold, quantize, plan."""

import copy
import logging
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from spikefold.calibration import calibrate, summary
from spikefold.choices import ModelChoices, sort_choices
from spikefold.design import Design
from spikefold.device_fit import memory_fit
from spikefold.errors import InputError
from spikefold.fold import Pooling, fold
from spikefold.golden import accuracy
from spikefold.ir import Network
from spikefold.nn import Input
from spikefold.quantize import quantize
from spikefold.quantize.scales import Method
from spikefold.train import accuracy as float_accuracy
from spikefold_boards.devices import find_device
from spikefold_hw.architectures import DEFAULT, find_architecture

_logger = logging.getLogger(__name__)

Samples = NDArray[np.generic]
Progress = Callable[[str], None]


def compile(  # noqa: A001 - the verb of the trade
    model: torch.nn.Module | Network,
    *,
    name: str = "network",
    architecture: str = DEFAULT,
    device: str | None = None,
    data: tuple[Samples, Samples] | None = None,
    calibration: Samples | None = None,
    fit_to: Design | None = None,
    progress: Progress | None = None,
    **choices: Any,
) -> Design:
    """Turn a trained model into a design.

    Parameters
    ----------
    model
        A module of `spikefold.nn` layers, or a `spikefold.ir.Network` that is quantized already.
    name
        Name of the design; the Verilog top is `<name>_top`.
    architecture
        A name in `spikefold_hw.architectures`.
    device
        Device whose block RAM is compared with the memory, see `spikefold_boards.devices`.
    data
        Test samples and labels: accuracies are reported where given.
    calibration
        Samples that the choices are measured on; else taken from `data`, else random.
    fit_to
        A design whose Verilog the network must run on; name, architecture, all that shapes hardware and `F`
        are then its.
    progress
        Told in a few words what is being done.
    **choices
        `weight_bits`, `method`, .. as `spikefold.choices.ModelChoices` has them, and `lanes`, `order`,
        `fps`, .. as the architecture's configuration: `spikefold_hw.streaming.config.Config`.

    Raises
    ------
    InputError
        If a choice or the model breaks a rule, or a rate or budget is out of reach.
    """
    say = progress or (lambda text: None)
    if device is not None:
        find_device(device)
    hardware = find_architecture(architecture) if fit_to is None else fit_to.architecture
    of_model, of_hardware = sort_choices(choices, ModelChoices, hardware.config)
    config = hardware.config(**of_hardware)
    info: dict[str, Any] = {}
    if isinstance(model, Network):
        network = model
    else:
        say("folding and quantizing")
        model = _with_input_levels(model, of_model.pop("input_levels", None))
        network, info["quantization"] = _integers(model, name, fit_to, ModelChoices(**of_model))
        if data is not None:
            say("measuring the float accuracy")
            info["accuracy_float"] = _percent(float_accuracy(model, data[0], np.asarray(data[1], np.int64)))
    if data is not None:
        say("measuring the integer accuracy")
        info["accuracy_integer"] = _percent(accuracy(network, *data))
        calibration = data[0] if calibration is None else calibration
    say("calibrating")
    levels = calibrate(network, calibration)
    say("choosing lanes")
    if fit_to is None:
        plan = hardware.plan(network, config, levels)
    else:
        plan = fit_to.plan
        hardware.check_fit(plan, network)
    say("predicting cycles")
    cycles = hardware.calibrated(plan, levels)
    info["calibration"] = {
        **summary(cycles, levels),
        "pipeline": hardware.explain(plan, config if fit_to is None else None, levels, cycles),
        "device": None if device is None else memory_fit(hardware.cost(plan), device),
    }
    return Design(network, plan, info)


def _integers(
    model: torch.nn.Module, name: str, fit_to: Design | None, choices: ModelChoices
) -> tuple[Network, Any]:
    """The integer network, and what rounding did; `fold` and `quantize` check the choices."""
    fractions = None if fit_to is None else fit_to.architecture.fractions(fit_to.plan)
    folded = fold(model, name if fit_to is None else fit_to.name, cast(Pooling, choices.pooling))
    network, report = quantize(
        folded,
        weight_bits=choices.bits,
        identity_bits=choices.identity_bits,
        method=cast(Method, choices.method),
        leak_terms=choices.leak_terms,
        membrane_bits=choices.membrane_bits,
        fractions=fractions,
    )
    for layer in report.layers:
        if layer.weights_lost or layer.never_firing:
            _logger.warning("%s", layer)
    return network, report.to_json()


def _with_input_levels(model: torch.nn.Module, levels: int | None) -> torch.nn.Module:
    if levels is None:
        return model
    if isinstance(levels, bool) or not isinstance(levels, int) or not 1 <= levels <= 255:
        raise InputError(f"Input levels must be 1..255, not {levels!r}")
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, Input):
            module.levels = levels
    return model


def _percent(fraction: float) -> float:
    return round(100 * fraction, 4)
