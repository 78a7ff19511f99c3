"""From a trained model to a design: fold, quantize, choose lanes and coding."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spikefold import balance
from spikefold.balance import Chosen, Counts, Goal, Levels
from spikefold.design import Design
from spikefold.errors import InputError
from spikefold.fold import Pooling, fold
from spikefold.golden import accuracy
from spikefold.ir import Network, Profile, fit, profile_of
from spikefold.ir.profile import Order
from spikefold.nn import Input
from spikefold.quantize import quantize
from spikefold.train import accuracy as float_accuracy
from spikefold_boards.devices import find_device

Samples = NDArray[np.generic]
Progress = Callable[[str], None]

_WEIGHTS = ("rom", "loaded")


def compile(  # noqa: A001 - the verb of the trade
    model: torch.nn.Module | Network,
    *,
    name: str = "network",
    weight_bits: int | Mapping[str, int] = 4,
    identity_bits: int = 8,
    input_levels: int | None = None,
    method: str = "max",
    leak_terms: int = 3,
    membrane_bits: int | None = None,
    pooling: Pooling = "auto",
    lanes: Counts = "auto",
    drain: Counts = "auto",
    coding: str = "auto",
    order: str = "auto",
    weights: str = "rom",
    fps: float | None = None,
    clock_mhz: float = 100.0,
    lut_budget: int | None = None,
    memory_budget: int | None = None,
    device: str | None = None,
    data: tuple[Samples, Samples] | None = None,
    calibration: Samples | None = None,
    fit_to: Design | None = None,
    progress: Progress | None = None,
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
    identity_bits
        1..8, of the weights of shortcuts.
    input_levels
        `D_in` in place of the one the model was trained with, 1..255.
    method, leak_terms, membrane_bits
        As `spikefold.quantize.quantize`.
    pooling
        As `spikefold.fold.fold`.
    lanes
        "auto", a number for every layer, or numbers by layer (the others automatic).
    drain
        Neurons drained per cycle: as `lanes`; they divide lanes and channels of a group.
    coding
        "auto", "binary", "naf" or "unary".
    order
        How time runs: "innermost" (all steps of a position, then the next position), "step_major", or
        "auto": innermost for a static input, else step-major.
    weights
        "rom" for memories with contents, "loaded" for memories that a host fills after a reset.
    fps, clock_mhz
        Samples a second that have to be reached at this clock, with the fewest lanes that do.
    lut_budget, memory_budget
        Most LUTs (by estimate) and bits of memory; the fastest design that fits is taken.
    device
        Device whose block RAM is compared with the memory, see `spikefold_boards.devices`.
    data
        Test samples and labels: accuracies are reported where given.
    calibration
        Samples that the choices are measured on; else taken from `data`, else random.
    fit_to
        A design whose Verilog the network must run on; name, order, lanes, drain, coding, weights and `F`
        are then its, and rates and budgets do not matter.
    progress
        Told in a few words what is being done.

    Raises
    ------
    InputError
        If an option or the model breaks a rule, or a rate or budget is out of reach.
    """
    goal = Goal(fps, clock_mhz, lut_budget, memory_budget)
    say = progress or (lambda text: None)
    if device is not None:
        find_device(device)
    hardware = _Hardware(lanes, drain, coding, _order(order), _loaded(weights), goal)
    info: dict[str, Any] = {}
    network = model
    if not isinstance(model, Network):
        say("folding and quantizing")
        model = _with_input_levels(model, input_levels)
        folded = fold(model, fit_to.name if fit_to is not None else name, pooling)
        options = {"weight_bits": weight_bits, "identity_bits": identity_bits, "method": method}
        options |= {"leak_terms": leak_terms, "membrane_bits": membrane_bits}
        if fit_to is not None:
            options["fractions"] = {layer.name: layer.fraction for layer in fit_to.profile.layers}
        network, report = quantize(folded, **options)
        info["quantization"] = report.to_json()
        if data is not None:
            say("measuring the float accuracy")
            info["accuracy_float"] = _percent(float_accuracy(model, *data))
    if data is not None:
        say("measuring the integer accuracy")
        info["accuracy_integer"] = _percent(accuracy(network, *data))
        calibration = data[0] if calibration is None else calibration
    say("calibrating")
    levels = balance.calibrate(network, calibration)
    say("choosing lanes")
    profile, chosen = hardware.choose(network, levels) if fit_to is None else _fitted(network, fit_to, levels)
    say("predicting cycles")
    cycles = balance.timing(profile, levels)
    info["calibration"] = {
        **balance.summary(cycles, levels),
        "pipeline": balance.pipeline(profile, chosen, levels, cycles, None if fit_to else hardware.order),
        "device": None if device is None else balance.memory_fit(profile, device),
    }
    return Design(network, profile, info)


def _fitted(network: Network, hardware: Design, levels: Levels) -> tuple[Profile, Chosen]:
    fit(network, hardware.profile)
    return hardware.profile, balance.as_built(hardware.profile, levels)


class _Hardware:
    """The options that shape hardware."""

    def __init__(
        self, lanes: Counts, drain: Counts, coding: str, order: Order | None, loaded: bool, goal: Goal
    ) -> None:
        self.order = order
        self._lanes, self._drain, self._coding, self._loaded, self._goal = lanes, drain, coding, loaded, goal

    def choose(self, network: Network, levels: Levels) -> tuple[Profile, Chosen]:
        """The profile, and the option taken for each stage."""
        lanes = balance.parse_counts("Lanes", self._lanes, network)
        drain = balance.parse_counts("Drains", self._drain, network)
        coding = balance.choose_coding(network, levels, self._coding)
        some = dict.fromkeys((population.name for population in network.populations), 1)
        profile = profile_of(network, some | lanes, coding, self.order, loaded=self._loaded)
        chosen = balance.choose(profile, network, levels, lanes, drain, self._goal)
        return balance.with_stages(profile, chosen), chosen


def _order(order: str) -> Order | None:
    found = {"auto": None, "innermost": "innermost", "step_major": "step_major", "step-major": "step_major"}
    if order not in found:
        raise InputError(f"Order of time must be auto, innermost or step-major, not {order!r}")
    return found[order]


def _loaded(weights: str) -> bool:
    if weights not in _WEIGHTS:
        raise InputError(f"Weights must be {' or '.join(_WEIGHTS)}, not {weights!r}")
    return weights == "loaded"


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
