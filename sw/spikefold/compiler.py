"""From a trained model to a design: fold, quantize, plan."""

import copy
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spikefold.calibration import calibrate, summary
from spikefold.choices import ModelChoices, sort_choices
from spikefold.design import Design
from spikefold.device_fit import memory_fit
from spikefold.errors import InputError, ModelError, shown
from spikefold.golden import accuracy
from spikefold.integers import AUTO, Converted, Evidence, convert
from spikefold.ir import Network
from spikefold.ir.input import as_samples
from spikefold.ir.stages import check_name
from spikefold.nn import Input
from spikefold.train import accuracy as float_accuracy
from spikefold.train.data import LazyArray
from spikefold_boards.fpgas import find_fpga
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
    calibration: Samples | tuple[Samples, Samples] | None = None,
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
        Device whose block RAM is compared with the memory, see `spikefold_boards.fpgas`.
    data
        Test samples and labels: accuracies are reported where given. A loss of more than a point is logged
        as a warning that names the layer that loses it and what would mend it.
    calibration
        Samples, or samples and labels, that weights are fitted to and choices measured on; else taken from
        `data`, else random. Without `data` the share of equal classes takes the place of the accuracy.
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
    if not isinstance(model, torch.nn.Module | Network):
        raise InputError(
            f"Model must be a module of spikefold.nn layers or a spikefold.ir.Network, not {shown(model)}"
        )
    check_name("Network", name)
    for what, choice in (("Architecture", architecture), ("Device", device)):
        if not isinstance(choice, str | None):
            raise InputError(f"{what} must be a name, not {shown(choice)}")
    if fit_to is not None and not isinstance(fit_to, Design):
        raise InputError(f"Design to fit must be a spikefold.Design, not {shown(fit_to)}")
    data = None if data is None else _labelled(data)
    evidence = _evidence(calibration)
    say = progress or (lambda text: None)
    if device is not None:
        find_fpga(device)
    hardware = find_architecture(architecture) if fit_to is None else fit_to.architecture
    of_model, of_hardware = sort_choices(choices, ModelChoices, hardware.config)
    config = hardware.config(**of_hardware)
    info: dict[str, Any] = {}
    tests = None if data is None else Evidence(*data)
    evidence = evidence or tests
    if isinstance(model, Network):
        network = model
    else:
        say("folding and quantizing")
        model = _with_input_levels(model, of_model.pop("input_levels", None))
        converted = _converted(model, name, fit_to, ModelChoices(**of_model), evidence, say)
        network = converted.network
        info["rounding"], info["quantization"] = converted.to_json(), converted.report.to_json()
        if data is not None:
            say("measuring the float accuracy")
            info["accuracy_float"] = _percent(float_accuracy(model, *data))
        if evidence is not None and (tests or evidence).has_features:
            say("looking for what is lost")
            info["loss"] = _loss(converted, model, tests or evidence)
    if data is not None:
        say("measuring the integer accuracy")
        info["accuracy_integer"] = _percent(accuracy(network, *data))
    say("calibrating")
    levels = calibrate(network, None if evidence is None else evidence.x)
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


def _converted(
    model: torch.nn.Module,
    name: str,
    fit_to: Design | None,
    choices: ModelChoices,
    evidence: Evidence | None,
    say: Progress,
) -> Converted:
    """The integer network, and what rounding did; `fold` and `quantize` check the choices.

    Fitted weights that need wider numbers than the hardware has give way to nearest ones, unless they were
    asked for.
    """
    fractions = None if fit_to is None else fit_to.architecture.fractions(fit_to.plan)
    name = name if fit_to is None else fit_to.name
    converted = convert(model, name, choices, evidence, fractions, say)
    if fit_to is not None and converted.fitted and choices.method == AUTO:
        try:
            fit_to.architecture.check_fit(fit_to.plan, converted.network)
        except ModelError as error:
            _logger.info("Weights are rounded to the nearest, since fitted ones do not fit: %s", error)
            converted = convert(model, name, replace(choices, method="max"), evidence, fractions, say)
    for layer in converted.report.layers:
        if layer.weights_lost or layer.never_firing:
            _logger.warning("%s", layer)
    return converted


def _loss(converted: Converted, model: torch.nn.Module, evidence: Evidence) -> dict[str, Any] | None:
    loss = converted.loss(model, evidence)
    if loss is None:
        return None
    _logger.warning("%s", loss)
    return loss.to_json()


def _evidence(calibration: object) -> Evidence | None:
    """Samples to calibrate on, with labels where it is a pair."""
    if calibration is None:
        return None
    if isinstance(calibration, tuple) and len(calibration) == 2:
        return Evidence(*_labelled(calibration))
    x = _read(calibration)
    if not len(x):
        raise InputError("Calibration samples must be at least one, not 0; give none for random levels")
    return Evidence(x)


def _labelled(data: object) -> tuple[Any, NDArray[np.int64]]:
    """Test samples, an array or one that is read in pieces, and as many labels."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise InputError(f"Data must be a pair of samples and labels, not {shown(data)}")
    x, y = _read(data[0]), as_samples(data[1], "Labels")
    if y.dtype.kind not in "iu" or y.ndim != 1 or y.shape != x.shape[:1]:
        raise InputError(f"Labels must be integers of shape {x.shape[:1]}, not {y.dtype} of shape {y.shape}")
    if not len(y):
        raise InputError("Data must hold at least one sample, not 0")
    return x, y.astype(np.int64)


def _read(x: object) -> Any:
    """Samples: an array, or one that is read in pieces."""
    found = x if isinstance(x, LazyArray) else as_samples(x)
    if found.dtype.kind not in "iuf" or not found.ndim:
        raise InputError(
            f"Samples must be an array of floating-point features or integer levels, not {found.dtype} of "
            f"shape {found.shape}"
        )
    return found


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
