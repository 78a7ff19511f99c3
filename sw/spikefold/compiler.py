"""From a trained model to a design: fold, quantize, choose lanes and coding."""

import copy
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from spikefold import balance
from spikefold.design import Design
from spikefold.errors import InputError
from spikefold.fold import fold
from spikefold.golden import accuracy
from spikefold.ir import Network, Profile, fit, profile_of
from spikefold.nn import Input
from spikefold.quantize import quantize
from spikefold.train import accuracy as float_accuracy

Samples = NDArray[np.generic]


def compile(  # noqa: A001 - the verb of the trade
    model: torch.nn.Module,
    *,
    name: str = "network",
    weight_bits: int | Mapping[str, int] = 4,
    input_levels: int | None = None,
    method: str = "max",
    leak_terms: int = 3,
    membrane_bits: int | None = None,
    lanes: str | int | Mapping[str, int] = "auto",
    coding: str = "auto",
    data: tuple[Samples, Samples] | None = None,
    calibration: Samples | None = None,
    fit_to: Design | None = None,
) -> Design:
    """Turn a trained model into a design.

    Parameters
    ----------
    model
        A module of `spikefold.nn` layers, or a `spikefold.ir.Network` that is quantized already.
    name
        Name of the design; the Verilog top is `<name>_top`.
    weight_bits
        1..8, for all populations or by name.
    input_levels
        `D_in` in place of the one the model was trained with, 1..255.
    method, leak_terms, membrane_bits
        As `spikefold.quantize.quantize`.
    lanes
        "auto", a number for every layer, or numbers by layer (the others automatic).
    coding
        "auto", "binary", "naf" or "unary".
    data
        Test samples and labels: accuracies are reported where given.
    calibration
        Samples that the choice of lanes and coding is measured on; else taken from `data`, else random.
    fit_to
        A design whose Verilog the network must run on; name, lanes, coding and `F` are then its.

    Raises
    ------
    InputError
        If an option or the model breaks a rule.
    """
    info: dict[str, object] = {}
    if isinstance(model, Network):
        network = model
    else:
        model = _with_input_levels(model, input_levels)
        folded = fold(model, fit_to.name if fit_to is not None else name)
        network, report = quantize(
            folded,
            weight_bits=weight_bits,
            method=method,
            leak_terms=leak_terms,
            membrane_bits=membrane_bits,
            fractions=fit_to and {layer.name: layer.fraction for layer in fit_to.profile.layers},
        )
        info["quantization"] = report.to_json()
        if data is not None:
            info["accuracy_float"] = _percent(float_accuracy(model, *data))
    if data is not None:
        info["accuracy_integer"] = _percent(accuracy(network, *data))
        calibration = data[0] if calibration is None else calibration
    levels = balance.calibrate(network, calibration)
    if fit_to is None:
        profile = _choose(network, lanes, coding, levels)
    else:
        profile = fit_to.profile
        fit(network, profile)
    info["calibration"] = balance.summary(profile, levels)
    return Design(network, profile, info)


def _choose(
    network: Network, lanes: str | int | Mapping[str, int], coding: str, levels: balance.Levels
) -> Profile:
    fixed = balance.parse_lanes(lanes, network)
    codings = balance.choose_coding(network, levels, coding)
    return profile_of(network, balance.choose_lanes(network, codings, levels, fixed), codings)


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
