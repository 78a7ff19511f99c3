"""From an integer network to its hardware profile, and whether a network fits a profile that exists."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from spikefold.errors import InputError, ModelError
from spikefold.ir.bounds import population_bounds, signed_bits
from spikefold.ir.coding import CODINGS, Coding
from spikefold.ir.depths import occupancy, ring_depth, window_of
from spikefold.ir.network import INPUT, Add, Network, Pool, Population, Stage, sources_of
from spikefold.ir.neuron import Integers, Neuron
from spikefold.ir.profile import (
    ORDERS,
    AddProfile,
    BufferProfile,
    InputProfile,
    LayerProfile,
    NeuronProfile,
    Order,
    PoolProfile,
    Profile,
    ScanProfile,
    SkipProfile,
    StageProfile,
    Widths,
    WindowProfile,
)
from spikefold.ir.projections import Conv, Identity, Projection

MAX_LANES = 1024


def profile_of(
    network: Network,
    lanes: Mapping[str, int],
    coding: Mapping[str, Coding] | None = None,
    order: Order | None = None,
    drain: Mapping[str, int] | None = None,
    loaded: bool = False,
) -> Profile:
    """Derive the profile of a network.

    Parameters
    ----------
    lanes
        Lanes by population name; 1..1024 and cut to the channels of a group.
    coding
        Digits of a source's levels by source name; "binary" where it is not named.
    order
        How time runs; by default innermost for a static input, else step-major.
    drain
        Neurons drained per cycle by population name; 1 where not named. It must divide the lanes (after
        the cut) and the channels of a group.
    loaded
        Whether a host loads weights and parameters after a reset.

    Raises
    ------
    InputError
        If an option is missing, unknown or out of range.
    ModelError
        If the hardware cannot compute the network.
    """
    order = order or ("innermost" if network.input.static else "step_major")
    if order not in ORDERS:
        raise InputError(f"Order of time must be innermost or step_major, not {order!r}")
    builder = _Builder(network, lanes, coding or {}, order, drain or {})
    stages = tuple(builder.stage(stage) for stage in network.stages)
    first = InputProfile(network.maps[INPUT], network.input.levels, builder.presented)
    return Profile(network.name, network.steps, order, first, stages, loaded)


class _Builder:
    """Checks the options and makes the profile of each stage."""

    def __init__(
        self,
        network: Network,
        lanes: Mapping[str, int],
        coding: Mapping[str, Coding],
        order: Order,
        drain: Mapping[str, int],
    ) -> None:
        populations = {population.name for population in network.populations}
        _check_names("Lanes", lanes, populations)
        _check_names("Drain", drain, populations)
        _check_names("Coding", coding, {INPUT, *network.maps} - {network.readout.name})
        for name, value in coding.items():
            if value not in CODINGS:
                raise InputError(f"Coding of {name!r} must be binary, naf or unary, not {value!r}")
        self._network, self._order = network, order
        self._lanes, self._coding, self._drain = lanes, coding, drain
        self._least, self._kept = occupancy(network, lag=0), occupancy(network)
        self.presented = 1 if order == "innermost" and _reads_once(network) else network.steps

    def stage(self, stage: Stage) -> StageProfile:
        """Profile of one stage."""
        name = stage.name
        levels = self._network.levels_of(name)
        if isinstance(stage, Pool):
            return PoolProfile(name, stage.pooling, self._scan(stage, 0, 1), levels)
        if isinstance(stage, Add):
            buffers = self._buffer(stage, 0), self._buffer(stage, 1)
            return AddProfile(name, self._network.maps[name], buffers, levels)
        return self._layer(stage)

    def _steps_of(self, source: str) -> int:
        """Time steps of a source that come together at a position."""
        if self._order == "step_major":
            return 1
        return self.presented if source == INPUT else self._network.steps

    def _scan(self, stage: Stage, port: int, groups: int) -> ScanProfile:
        source = sources_of(stage)[port]
        window, key = window_of(self._network, stage, port), (stage.name, port)
        steps = self._steps_of(source)
        depth = ring_depth(window, self._kept[key], self._least[key], steps)
        if isinstance(stage, Pool) or groups > 1:
            depth = max(depth, self._kept[key] + window.stride[1])
        return ScanProfile(
            source,
            self._network.maps[source],
            window.kernel,
            window.stride,
            window.padding,
            groups,
            self._network.levels_of(source),
            steps,
            depth,
        )

    def _buffer(self, stage: Stage, port: int) -> BufferProfile:
        source = sources_of(stage)[port]
        depth = (self._kept[stage.name, port] + 1) * self._steps_of(source)
        return BufferProfile(source, self._network.levels_of(source), depth)

    def _layer(self, population: Population) -> LayerProfile:
        network, name = self._network, population.name
        ports = list(enumerate(population.projections))
        windows = tuple(self._window(population, k, p) for k, p in ports if not isinstance(p, Identity))
        if not windows:
            raise ModelError(
                f"Population {name!r} must have a dense projection or a convolution, not identities alone; "
                "make one of them a depthwise 1x1 convolution"
            )
        skips = tuple(
            SkipProfile(self._buffer(population, k), p.bits) for k, p in ports if isinstance(p, Identity)
        )
        groups = _common_groups(name, windows)
        lanes = min(self._lanes_of(name), population.channels // groups)
        static = INPUT in sources_of(population) and self.presented < network.steps
        return LayerProfile(
            name=name,
            map=network.maps[name],
            lanes=lanes,
            drain=self._drain_of(name, lanes, population.channels // groups),
            windows=windows,
            skips=skips,
            fraction=population.fraction,
            parameter_sets=len(parameter_rows(population)["bias"]),
            repeats=network.steps if static else 1,
            neuron=population.neuron and neuron_profile(population.neuron),
            widths=_widths(network, population),
        )

    def _window(self, population: Population, port: int, projection: Projection) -> WindowProfile:
        groups = projection.groups if isinstance(projection, Conv) else 1
        scan = self._scan(population, port, groups)
        coding = self._coding.get(projection.source, "binary")
        return WindowProfile(scan, coding, projection.bits, len(projection.weight))

    def _lanes_of(self, name: str) -> int:
        if name not in self._lanes:
            raise InputError(f"Lanes of {name!r} must be given")
        lanes = self._lanes[name]
        if isinstance(lanes, bool) or not isinstance(lanes, int) or not 1 <= lanes <= MAX_LANES:
            raise InputError(f"Lane count of {name!r} must be 1..{MAX_LANES}, not {lanes!r}")
        return lanes

    def _drain_of(self, name: str, lanes: int, group_channels: int) -> int:
        drain = self._drain.get(name, 1)
        if isinstance(drain, bool) or not isinstance(drain, int) or drain < 1:
            raise InputError(f"Drain of {name!r} must be a positive integer, not {drain!r}")
        if lanes % drain or group_channels % drain:
            raise InputError(
                f"Drain of {name!r} must divide its {lanes} lanes and the {group_channels} channels of a "
                f"group, not be {drain}"
            )
        return drain


def _check_names(what: str, given: Mapping[str, Any], known: set[str]) -> None:
    for name in given:
        if name not in known:
            raise InputError(f"{what} must name one of {', '.join(sorted(known))}, not {name!r}")


def _reads_once(network: Network) -> bool:
    """Whether a static input need be presented once: its currents are the same at every time step."""
    if not network.input.static:
        return False
    readers = [stage for stage in network.stages if INPUT in sources_of(stage)]
    return network.steps == 1 or all(
        isinstance(reader, Population)
        and len(reader.projections) == 1
        and len(reader.projections[0].weight) == 1
        for reader in readers
    )


def _common_groups(name: str, windows: tuple[WindowProfile, ...]) -> int:
    groups = max(window.scan.groups for window in windows)
    for window in windows:
        if groups % window.scan.groups:
            raise ModelError(
                f"Groups of the projections into {name!r} must divide the largest ({groups}), "
                f"not be {window.scan.groups}"
            )
    return groups


def neuron_profile(neuron: Neuron) -> NeuronProfile:
    """The part of a neuron that shapes hardware."""
    return NeuronProfile(
        levels=neuron.levels,
        rounding=neuron.rounding,
        reset=neuron.reset,
        leak=neuron.leak,
        factor=neuron.factor,
        fire_floor=neuron.fire_floor is not None,
        membrane_bits=neuron.membrane_bits,
    )


def parameter_rows(population: Population) -> dict[str, Integers]:
    """The words stored per channel, as arrays (parameter sets, channels).

    Bias, θ, m·θ, fire floor, and a weight per identity projection (`skip0`, ..). Where nothing acts
    between current and rounding, `h` is already in bias and fire floor (`NeuronProfile.merged`), which
    saves an adder. A readout stores no threshold.
    """
    neuron = population.neuron
    rows = {"bias": population.bias}
    if neuron is not None:
        profile = neuron_profile(neuron)
        half = neuron.half if profile.merged else np.zeros_like(neuron.half)
        rows = {"bias": population.bias + half, "threshold": neuron.threshold}
        if profile.stores_top:
            rows["top"] = neuron.threshold * profile.top
        if neuron.fire_floor is not None:
            rows["fire_floor"] = neuron.fire_floor[None] + half
    identities = [p.weight for p in population.projections if isinstance(p, Identity)]
    rows |= {f"skip{k}": weight for k, weight in enumerate(identities)}
    sets = max(len(row) for row in rows.values())
    return {name: np.broadcast_to(row, (sets, population.channels)) for name, row in rows.items()}


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
        sum=signed_bits(bounds.sums),
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
    names = [stage.name for stage in profile.stages]
    if list(network.by_name) != names:
        raise ModelError(f"Populations must be {', '.join(names)} to fit, not {', '.join(network.by_name)}")
    lanes = {layer.name: layer.lanes for layer in profile.layers}
    drain = {layer.name: layer.drain for layer in profile.layers}
    try:
        own = profile_of(network, lanes, profile.coding, profile.order, drain, profile.loaded)
    except InputError as error:
        raise ModelError(f"Network must have the shape of the build to fit: {error}") from None
    for field in ("name", "steps", "input"):
        _check_same(f"Network {field}", getattr(own, field), getattr(profile, field))
    for mine, built in zip(own.stages, profile.stages, strict=True):
        _fit_stage(mine, built)


def _fit_stage(mine: StageProfile, built: StageProfile) -> None:
    if not (isinstance(mine, LayerProfile) and isinstance(built, LayerProfile)):
        return _check_same(f"Stage {mine.name!r}", mine, built)
    for field in asdict(mine):
        if field != "widths":
            _check_same(f"{field.capitalize()} of {mine.name!r}", getattr(mine, field), getattr(built, field))
    for field, bits in asdict(mine.widths).items():
        if bits > getattr(built.widths, field):
            raise ModelError(
                f"{field.replace('_', ' ').capitalize()} of {mine.name!r} must fit "
                f"{getattr(built.widths, field)} bits, but needs {bits}; compile without --fit"
            )
    return None


def _check_same(what: str, mine: object, built: object) -> None:
    if mine != built:
        raise ModelError(f"{what.replace('_', ' ')} must be {built!r} to fit, not {mine!r}")


def with_lanes(profile: Profile, lanes: Mapping[str, int], drain: Mapping[str, int]) -> Profile:
    """The same profile with other lanes and drains, which must fit their layers."""
    stages = tuple(
        replace(stage, lanes=lanes[stage.name], drain=drain[stage.name])
        if isinstance(stage, LayerProfile)
        else stage
        for stage in profile.stages
    )
    return replace(profile, stages=stages)
