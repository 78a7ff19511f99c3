"""From real numbers to the integer network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np

from spikefold.errors import InputError
from spikefold.fold.folded import (
    FoldedConv,
    FoldedIdentity,
    FoldedNetwork,
    FoldedNeuron,
    FoldedPopulation,
    FoldedProjection,
    Reals,
)
from spikefold.ir import Conv, Dense, Identity, Network, Neuron, Population, Projection
from spikefold.ir.network import Stage
from spikefold.ir.neuron import MAX_FRACTION, Integers
from spikefold.quantize.grid import Grid, choose_grid
from spikefold.quantize.leak import leak_shifts
from spikefold.quantize.report import LayerReport, QuantizationReport, layer_report
from spikefold.quantize.scales import Method, round_weight

DEFAULT_BITS = 4
IDENTITY_BITS = 8
LEAST_THRESHOLD = 32


@dataclass(frozen=True)
class _Options:
    """What holds for every population."""

    leak_terms: int
    membrane_bits: int | None
    steps: int


def quantize(
    folded: FoldedNetwork,
    *,
    weight_bits: int | Mapping[str, int] = DEFAULT_BITS,
    method: Method = "max",
    leak_terms: int = 3,
    membrane_bits: int | None = None,
    identity_bits: int = IDENTITY_BITS,
    fractions: Mapping[str, int] | None = None,
) -> tuple[Network, QuantizationReport]:
    """Round a folded network to integers (spec section 3).

    Parameters
    ----------
    folded
        From `spikefold.fold.fold`.
    weight_bits
        1 (the weights' signs) or 2..8, of the dense projections and convolutions into all populations
        or by population name; 4 where not named. Projections of binary layers take one bit whatever is
        given here, wherever that is exact; see `quantize.grid.choose_grid`.
    method
        Weight scale per target channel: "max" gives the largest weight the largest integer, "mse" has
        the least squared error.
    leak_terms
        `K`, 1..8: a leak or reset factor becomes at most so many signed powers of two.
    membrane_bits
        Width that membranes saturate to, 4..48; None for as wide as the worst case needs.
    identity_bits
        1..8, of identity projections (residual shortcuts).
    fractions
        `F` by population, where it must be that of hardware that exists already; else `choose_fraction`.

    Returns
    -------
    tuple
        The integer network and the report of what rounding lost.

    Raises
    ------
    InputError
        If an option is out of range or names no population.
    """
    if method not in get_args(Method):
        raise InputError(f"Quantization method must be 'max' or 'mse', not {method!r}")
    _check_bits("Identity bits", identity_bits)
    bits = _bits_by_name(folded, weight_bits)
    options = _Options(leak_terms, membrane_bits, folded.steps)
    levels = folded.levels
    stages: list[Stage] = []
    layers: list[LayerReport] = []
    for stage in folded.stages:
        if isinstance(stage, FoldedPopulation):
            grid = choose_grid(stage, bits[stage.name], identity_bits, method, levels)
            layer = _Layer(stage, grid, options, (fractions or {}).get(stage.name)).population()
            stages.append(layer)
            layers.append(layer_report(stage, layer, grid))
        else:
            stages.append(stage)
    network = Network(folded.input, folded.steps, tuple(stages), folded.name)
    return network, QuantizationReport(tuple(layers))


def choose_fraction(thresholds: Reals) -> int:
    """`F`: the smallest 0..8 that makes every threshold, given in units of weight, at least 32."""
    for fraction in range(MAX_FRACTION):
        if _rounded(thresholds * (1 << fraction)).min() >= LEAST_THRESHOLD:
            return fraction
    return MAX_FRACTION


class _Layer:
    """Rounds one population on its grid."""

    def __init__(self, folded: FoldedPopulation, grid: Grid, options: _Options, fraction: int | None) -> None:
        self._folded, self._grid, self._options = folded, grid, options
        self._fraction = fraction

    def population(self) -> Population:
        """The integer population."""
        neuron = self._folded.neuron
        return self._readout() if neuron is None else self._spiking(neuron)

    def _spiking(self, real: FoldedNeuron) -> Population:
        scale, fraction, terms = self._grid.scale, self._fraction, self._options.leak_terms
        if fraction is None:
            fraction = choose_fraction(real.threshold / scale)
        unit = scale / (1 << fraction)
        neuron = Neuron(
            levels=real.levels,
            threshold=np.maximum(_rounded(real.threshold / unit), 1),
            rounding=real.rounding,
            reset=real.reset,
            leak=leak_shifts(real.leak, terms),
            factor=None if real.factor is None else leak_shifts(real.factor, terms),
            fire_floor=None if real.fire_floor is None else _rounded(real.fire_floor / unit),
            membrane_bits=self._options.membrane_bits,
        )
        return Population(
            name=self._folded.name,
            projections=self._projections(),
            bias=_rounded(self._folded.bias / unit)[None],
            fraction=fraction,
            neuron=neuron,
            scale=unit,
        )

    def _readout(self) -> Population:
        """The readout has no threshold to resolve and takes F = 0.

        Its bias is then wrong by at most half a weight step, where the rounded weights of a class are
        wrong by several.
        """
        scale = self._grid.scale
        return Population(
            name=self._folded.name,
            projections=self._projections(),
            bias=_rounded(self._folded.bias / scale)[None],
            scale=scale / self._options.steps,
        )

    def _projections(self) -> tuple[Projection, ...]:
        pairs = zip(self._folded.projections, self._grid.bits, strict=True)
        return tuple(_projection(folded, bits, self._grid.scale) for folded, bits in pairs)


def _projection(folded: FoldedProjection, bits: int, scale: Reals) -> Projection:
    weight = round_weight(folded.weight, bits, scale)
    if isinstance(folded, FoldedConv):
        return Conv(folded.source, weight, bits, folded.stride, folded.padding, folded.groups)
    kind = Identity if isinstance(folded, FoldedIdentity) else Dense
    return kind(folded.source, weight, bits)


def _bits_by_name(folded: FoldedNetwork, weight_bits: int | Mapping[str, int]) -> dict[str, int]:
    names = [population.name for population in folded.populations]
    if not isinstance(weight_bits, Mapping):
        weight_bits = dict.fromkeys(names, weight_bits)
    for name, bits in weight_bits.items():
        if name not in names:
            raise InputError(f"Weight bits must name one of {', '.join(names)}, not {name!r}")
        _check_bits(f"Weight bits of {name!r}", bits)
    return {name: weight_bits.get(name, DEFAULT_BITS) for name in names}


def _check_bits(subject: str, bits: object) -> None:
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 8:
        raise InputError(f"{subject} must be 1..8, not {bits!r}")


def _rounded(values: Reals) -> Integers:
    return np.rint(values).astype(np.int64)
