"""The hardware profile: everything the Verilog depends on. Networks with one profile share one Verilog."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from spikefold.errors import InputError, ModelError
from spikefold.ir.bounds import population_bounds, signed_bits
from spikefold.ir.coding import CODINGS, Coding
from spikefold.ir.network import INPUT, Network, Population
from spikefold.ir.neuron import Integers, Neuron, Reset, Rounding, ShiftSum, ladder_weights

MAX_LANES = 1024


@dataclass(frozen=True)
class WindowProfile:
    """One projection as the hardware sees it.

    Attributes: source name, number of source neurons, their largest level, digit coding, weight
    bits, number of weight sets (1 or T), and how many time steps one received position serves
    (T for a static input, else 1).
    """

    source: str
    inputs: int
    levels: int
    coding: Coding
    weight_bits: int
    weight_sets: int
    replays: int


@dataclass(frozen=True)
class NeuronProfile:
    """The part of `Neuron` that shapes hardware."""

    levels: int
    rounding: Rounding
    reset: Reset
    leak: ShiftSum
    factor: ShiftSum | None
    fire_floor: bool
    membrane_bits: int | None

    @property
    def merged(self) -> bool:
        """Whether `h` is added together with the bias: possible where nothing acts on `u` in between."""
        return self.membrane_bits is None and self.factor is None

    @property
    def top(self) -> int:
        """`m`, the multiple of θ that the ladder tries first."""
        return ladder_weights(self.levels)[0]

    @property
    def stores_top(self) -> bool:
        """Whether `m·θ` is a stored word; a power of two is a shift instead."""
        return self.top & (self.top - 1) != 0


@dataclass(frozen=True)
class Widths:
    """Bits of every number in a layer. θ and its multiple are unsigned, the others two's complement."""

    accumulator: int
    bias: int
    threshold: int
    top: int
    fire_floor: int
    leak: int
    potential: int
    membrane: int


@dataclass(frozen=True)
class LayerProfile:
    """One population as the hardware sees it; `neuron` is None for the readout."""

    name: str
    channels: int
    lanes: int
    windows: tuple[WindowProfile, ...]
    fraction: int
    parameter_sets: int
    neuron: NeuronProfile | None
    widths: Widths

    @property
    def blocks(self) -> int:
        """Blocks of `lanes` channels."""
        return -(-self.channels // self.lanes)


@dataclass(frozen=True)
class Profile:
    """A whole design as the hardware sees it."""

    name: str
    steps: int
    input_size: int
    input_levels: int
    input_static: bool
    layers: tuple[LayerProfile, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; `from_json` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Profile":
        """Inverse of `to_json`.

        Raises
        ------
        InputError
            If a field is missing or unknown.
        """
        try:
            return cls(**{**data, "layers": tuple(_layer(layer) for layer in data["layers"])})
        except (KeyError, TypeError) as error:
            raise InputError(f"Hardware profile must have every field and no other: {error}") from None


def _shifts(data: Mapping[str, Any] | None) -> ShiftSum | None:
    return data and ShiftSum(tuple((sign, shift) for sign, shift in data["terms"]))


def _layer(data: Mapping[str, Any]) -> LayerProfile:
    neuron = data["neuron"]
    if neuron is not None:
        neuron = NeuronProfile(
            **{**neuron, "leak": _shifts(neuron["leak"]), "factor": _shifts(neuron["factor"])}
        )
    windows = tuple(WindowProfile(**window) for window in data["windows"])
    return LayerProfile(**{**data, "neuron": neuron, "windows": windows, "widths": Widths(**data["widths"])})


def parameter_rows(population: Population) -> dict[str, Integers]:
    """The words stored per neuron, as arrays (parameter sets, channels): bias, θ, m·θ, fire floor.

    Where nothing acts between current and rounding, `h` is already in bias and fire floor
    (`NeuronProfile.merged`), which saves an adder. A readout stores its bias alone.
    """
    neuron = population.neuron
    if neuron is None:
        return {"bias": population.bias}
    profile = _neuron_profile(neuron)
    half = neuron.half if profile.merged else np.zeros_like(neuron.half)
    rows = {"bias": population.bias + half, "threshold": neuron.threshold}
    if profile.stores_top:
        rows["top"] = neuron.threshold * profile.top
    if neuron.fire_floor is not None:
        rows["fire_floor"] = neuron.fire_floor[None] + half
    sets = max(len(row) for row in rows.values())
    return {name: np.broadcast_to(row, (sets, population.channels)) for name, row in rows.items()}


def profile_of(
    network: Network,
    lanes: Mapping[str, int],
    coding: Mapping[str, Coding] | None = None,
) -> Profile:
    """Derive the profile of a network for given lanes per population and coding per source.

    Parameters
    ----------
    lanes
        Lanes by population name; 1..1024 and cut to the number of channels.
    coding
        Digits of a source's levels by source name; "binary" where it is not named.

    Raises
    ------
    InputError
        If lanes or coding are missing, unknown or out of range.
    ModelError
        If the network is not a chain of dense layers.
    """
    _check_names("Lanes", lanes, set(network.by_name))
    coding = coding or {}
    _check_names("Coding", coding, {INPUT, *(p.name for p in network.populations[:-1])})
    for name, value in coding.items():
        if value not in CODINGS:
            raise InputError(f"Coding of {name!r} must be binary, naf or unary, not {value!r}")
    _check_chain(network)
    layers = [_layer_profile(network, p, lanes, coding) for p in network.populations]
    source = network.input
    return Profile(network.name, network.steps, source.size, source.levels, source.static, tuple(layers))


def _check_names(what: str, given: Mapping[str, Any], known: set[str]) -> None:
    for name in given:
        if name not in known:
            raise InputError(f"{what} must name one of {', '.join(sorted(known))}, not {name!r}")


def _check_chain(network: Network) -> None:
    source = INPUT
    for population in network.populations:
        if len(population.projections) != 1 or population.projections[0].source != source:
            raise ModelError(
                f"Hardware for {population.name!r} needs exactly one projection, from {source!r}, "
                f"not from {[p.source for p in population.projections]}"
            )
        source = population.name


def _neuron_profile(neuron: Neuron) -> NeuronProfile:
    return NeuronProfile(
        levels=neuron.levels,
        rounding=neuron.rounding,
        reset=neuron.reset,
        leak=neuron.leak,
        factor=neuron.factor,
        fire_floor=neuron.fire_floor is not None,
        membrane_bits=neuron.membrane_bits,
    )


def _layer_profile(
    network: Network, population: Population, lanes: Mapping[str, int], coding: Mapping[str, Coding]
) -> LayerProfile:
    name = population.name
    if name not in lanes:
        raise InputError(f"Lanes of {name!r} must be given")
    if isinstance(lanes[name], bool) or not isinstance(lanes[name], int) or not 1 <= lanes[name] <= MAX_LANES:
        raise InputError(f"Lane count of {name!r} must be 1..{MAX_LANES}, not {lanes[name]!r}")
    windows = tuple(
        WindowProfile(
            source=p.source,
            inputs=p.weight.shape[2],
            levels=network.levels_of(p.source),
            coding=coding.get(p.source, "binary"),
            weight_bits=p.bits,
            weight_sets=len(p.weight),
            replays=network.steps if p.source == INPUT and network.input.static else 1,
        )
        for p in population.projections
    )
    return LayerProfile(
        name=name,
        channels=population.channels,
        lanes=min(lanes[name], population.channels),
        windows=windows,
        fraction=population.fraction,
        parameter_sets=len(parameter_rows(population)["bias"]),
        neuron=population.neuron and _neuron_profile(population.neuron),
        widths=_widths(network, population),
    )


def _widths(network: Network, population: Population) -> Widths:
    bounds = population_bounds(network, population)
    rows = parameter_rows(population)

    def unsigned(name: str) -> int:
        return int(rows[name].max()).bit_length() if name in rows else 0

    def signed(name: str) -> int:
        return signed_bits((int(rows[name].min()), int(rows[name].max()))) if name in rows else 0

    neuron = population.neuron
    cap = neuron.membrane_bits if neuron is not None else None
    return Widths(
        accumulator=signed_bits(bounds.accumulator),
        bias=signed("bias"),
        threshold=unsigned("threshold"),
        top=unsigned("top"),
        fire_floor=signed("fire_floor"),
        leak=signed_bits(bounds.leak),
        potential=signed_bits(bounds.potential, bounds.current),
        membrane=cap or signed_bits(bounds.membrane),
    )


def fit(network: Network, profile: Profile) -> None:
    """Check that a network runs on the Verilog of an existing profile.

    Raises
    ------
    ModelError
        Names the first shape that differs or bound that is broken.
    """
    lanes = {layer.name: layer.lanes for layer in profile.layers}
    coding = {window.source: window.coding for layer in profile.layers for window in layer.windows}
    if list(network.by_name) != list(lanes):
        raise ModelError(f"Populations must be {', '.join(lanes)} to fit, not {', '.join(network.by_name)}")
    own = profile_of(network, lanes, coding)
    for field in ("name", "steps", "input_size", "input_levels", "input_static"):
        _check_same(f"Network {field}", getattr(own, field), getattr(profile, field))
    for mine, built in zip(own.layers, profile.layers, strict=True):
        for field in ("channels", "windows", "fraction", "parameter_sets", "neuron"):
            _check_same(f"{field.capitalize()} of {mine.name!r}", getattr(mine, field), getattr(built, field))
        for field, bits in asdict(mine.widths).items():
            if bits > getattr(built.widths, field):
                raise ModelError(
                    f"{field.replace('_', ' ').capitalize()} of {mine.name!r} must fit "
                    f"{getattr(built.widths, field)} bits, but needs {bits}; compile without --fit"
                )


def _check_same(what: str, mine: object, built: object) -> None:
    if mine != built:
        raise ModelError(f"{what.replace('_', ' ')} must be {built!r} to fit, not {mine!r}")
