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
from spikefold.quantize.leak import leak_shifts
from spikefold.quantize.report import LayerReport, QuantizationReport, layer_report
from spikefold.quantize.scales import Method, readout_scale, round_weight, weight_scale, with_floor

DEFAULT_BITS = 4
IDENTITY_BITS = 8
LEAST_THRESHOLD = 32


@dataclass(frozen=True)
class _Options:
    """What holds for every population."""

    method: Method
    leak_terms: int
    membrane_bits: int | None
    identity_bits: int
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
        or by population name; 4 where not named.
    method
        Weight scale per target channel: "max" gives the largest weight the largest integer, "mse" has
        the least squared error.
    leak_terms
        `K`, 1..8: a leak becomes at most so many signed powers of two.
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
    options = _Options(method, leak_terms, membrane_bits, identity_bits, folded.steps)
    stages: list[Stage] = []
    layers: list[LayerReport] = []
    for stage in folded.stages:
        if isinstance(stage, FoldedPopulation):
            layer = _Layer(stage, bits[stage.name], options, (fractions or {}).get(stage.name))
            stages.append(layer.population)
            layers.append(layer.report)
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
    """Rounds one population; `population` is the result and `report` what it lost."""

    def __init__(self, folded: FoldedPopulation, bits: int, options: _Options, fraction: int | None) -> None:
        self._folded, self._options = folded, options
        self._bits = [
            options.identity_bits if isinstance(p, FoldedIdentity) else bits for p in folded.projections
        ]
        weights = [(p.flat, b) for p, b in zip(folded.projections, self._bits, strict=True)]
        if folded.neuron is None:
            wanted = scale = readout_scale(weights, folded.bias, options.method)
            self.population = self._readout(scale)
        else:
            wanted = weight_scale(weights, options.method)
            scale = with_floor(wanted, folded.neuron.threshold, folded.bias)
            self.population = self._spiking(folded.neuron, scale, fraction)
        raised = int((scale > wanted).sum())
        self.report: LayerReport = layer_report(folded, self.population, scale, bits, raised)

    def _spiking(self, real: FoldedNeuron, scale: Reals, fraction: int | None) -> Population:
        if fraction is None:
            fraction = choose_fraction(real.threshold / scale)
        unit = scale / (1 << fraction)
        neuron = Neuron(
            levels=real.levels,
            threshold=np.maximum(_rounded(real.threshold / unit), 1),
            rounding=real.rounding,
            reset=real.reset,
            leak=leak_shifts(real.leak, self._options.leak_terms),
            membrane_bits=self._options.membrane_bits,
        )
        return Population(
            name=self._folded.name,
            projections=self._projections(scale),
            bias=_rounded(self._folded.bias / unit)[None],
            fraction=fraction,
            neuron=neuron,
            scale=unit,
        )

    def _readout(self, scale: Reals) -> Population:
        """The readout has no threshold to resolve and takes F = 0.

        Its bias is then wrong by at most half a weight step, where the rounded weights of a class are
        wrong by several.
        """
        return Population(
            name=self._folded.name,
            projections=self._projections(scale),
            bias=_rounded(self._folded.bias / scale)[None],
            scale=scale / self._options.steps,
        )

    def _projections(self, scale: Reals) -> tuple[Projection, ...]:
        pairs = zip(self._folded.projections, self._bits, strict=True)
        return tuple(_projection(folded, bits, scale) for folded, bits in pairs)


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
