"""The same counts for the integer network of a build: its levels, its codings, its neurons."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefold.analysis.cost import update_of
from spikefold.analysis.operations import coverage
from spikefold.golden import Golden
from spikefold.ir import Network, Population
from spikefold.ir.coding import Coding, digit_count
from spikefold.ir.projections import Conv, Identity, Projection
from spikefold.ir.stages import INPUT

_BATCH = 64

Codings = Mapping[str, Coding]
"""Digits of the levels of every source."""


@dataclass(frozen=True)
class IntegerLayer:
    """One population of a build, per sample: synaptic additions under its coding, and work of its neurons."""

    name: str
    sources: tuple[str, ...]
    codings: tuple[str, ...]
    additions: float
    updates: int
    shifts: int
    neuron_additions: int
    comparisons: int


@dataclass(frozen=True)
class IntegerOperations:
    """What the hardware of a build adds per sample, exactly, on the samples it was given."""

    name: str
    layers: tuple[IntegerLayer, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, with sums over all layers."""
        rows = [asdict(layer) for layer in self.layers]
        numbers = ("additions", "updates", "shifts", "neuron_additions", "comparisons")
        return {
            "name": self.name,
            "layers": rows,
            "total": {number: sum(row[number] for row in rows) for number in numbers},
        }


def integer_operations(
    network: Network, hardware: Mapping[str, Any], x: NDArray[np.generic]
) -> IntegerOperations:
    """Count on samples ``x`` as `ir.Input.encode` takes them; a static input's current once if it is shared.

    ``hardware`` is `spikefold.Design.summary`: of it ``coding`` by source and ``repeats`` by layer are used.

    Raises
    ------
    InputError
        If the samples do not fit the build's input.
    """
    golden, additions = Golden(network), dict.fromkeys((p.name for p in network.populations), 0.0)
    repeats, coding = hardware["repeats"], hardware["coding"]
    for start in range(0, len(x), _BATCH):
        encoded = network.input.encode(x[start : start + _BATCH], network.steps)
        levels: dict[str, NDArray[np.integer]] = {INPUT: encoded}
        levels |= golden.run(encoded, record=True).levels
        for population in network.populations:
            for projection in population.projections:
                presented = network.steps // repeats[population.name] // levels[projection.source].shape[1]
                count = _additions(network, coding, projection, levels[projection.source])
                additions[population.name] += count * max(1, presented)
    rows = (_layer(network, coding, p, additions[p.name] / len(x)) for p in network.populations)
    return IntegerOperations(network.name, tuple(rows))


def _additions(
    network: Network, coding: Codings, projection: Projection, levels: NDArray[np.integer]
) -> float:
    digits = digit_count(levels.astype(np.int64), _digits(coding, projection))
    if not isinstance(projection, Conv):
        return float(digits.sum() * (1 if isinstance(projection, Identity) else projection.targets))
    shape = network.maps[projection.source]
    sums = digits.reshape(-1, shape.channels, shape.height, shape.width).sum(axis=(0, 1))
    reached = coverage((shape.height, shape.width), projection.kernel, projection.stride, projection.padding)
    return float((sums * reached).sum() * (projection.targets // projection.groups))


def _digits(coding: Codings, projection: Projection) -> Coding:
    """An identity's levels are added bit by bit."""
    return "binary" if isinstance(projection, Identity) else coding[projection.source]


def _layer(network: Network, coding: Codings, population: Population, additions: float) -> IntegerLayer:
    sources = tuple(p.source for p in population.projections)
    codings = tuple(_digits(coding, p) for p in population.projections)
    neuron = population.neuron
    if neuron is None:
        return IntegerLayer(population.name, sources, codings, additions, 0, 0, 0, 0)
    updates = network.maps[population.name].size * network.steps
    each = update_of(
        neuron.levels,
        neuron.rounding,
        neuron.reset,
        neuron.leak,
        neuron.factor,
        neuron.fire_floor is not None,
        network.steps,
    )
    work = (each.shifts, each.additions, each.comparisons)
    return IntegerLayer(
        population.name, sources, codings, additions, updates, *(updates * one for one in work)
    )
