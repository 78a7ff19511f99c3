"""From real numbers to the integer network."""

from collections.abc import Mapping
from typing import get_args

import numpy as np

from spikefold.errors import InputError
from spikefold.fold.folded import FoldedNetwork, FoldedNeuron, FoldedPopulation, Reals
from spikefold.ir import Network, Neuron, Population, Projection, ShiftSum
from spikefold.ir.neuron import MAX_FRACTION, Integers
from spikefold.quantize.leak import leak_shifts
from spikefold.quantize.report import LayerReport, QuantizationReport, layer_report
from spikefold.quantize.scales import Method, readout_scale, round_weight, weight_scale, with_floor

DEFAULT_BITS = 4
LEAST_THRESHOLD = 32


def quantize(
    folded: FoldedNetwork,
    *,
    weight_bits: int | Mapping[str, int] = DEFAULT_BITS,
    method: Method = "max",
    leak_terms: int = 3,
    membrane_bits: int | None = None,
    fractions: Mapping[str, int] | None = None,
) -> tuple[Network, QuantizationReport]:
    """Round a folded network to integers (spec section 3).

    Parameters
    ----------
    folded
        From `spikefold.fold.fold`.
    weight_bits
        1 (the weights' signs) or 2..8, for all populations or by population name; 4 where not named.
    method
        Weight scale per target channel: "max" gives the largest weight the largest integer, "mse" has
        the least squared error.
    leak_terms
        `K`, 1..8: a leak becomes at most so many signed powers of two.
    membrane_bits
        Width that membranes saturate to, 4..48; None for as wide as the worst case needs.
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
    bits = _bits_by_name(folded, weight_bits)
    populations: list[Population] = []
    layers: list[LayerReport] = []
    for population in folded.populations:
        if population.neuron is None:
            quantized, layer = _readout(population, folded.steps, bits[population.name], method)
        else:
            leak = leak_shifts(population.neuron.leak, leak_terms)
            quantized, layer = _spiking(
                population,
                population.neuron,
                bits[population.name],
                method,
                leak,
                membrane_bits,
                (fractions or {}).get(population.name),
            )
        populations.append(quantized)
        layers.append(layer)
    network = Network(folded.input, folded.steps, tuple(populations), folded.name)
    return network, QuantizationReport(tuple(layers))


def _bits_by_name(folded: FoldedNetwork, weight_bits: int | Mapping[str, int]) -> dict[str, int]:
    names = [population.name for population in folded.populations]
    if not isinstance(weight_bits, Mapping):
        weight_bits = dict.fromkeys(names, weight_bits)
    for name, bits in weight_bits.items():
        if name not in names:
            raise InputError(f"Weight bits must name one of {', '.join(names)}, not {name!r}")
        if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 8:
            raise InputError(f"Weight bits of {name!r} must be 1..8, not {bits!r}")
    return {name: weight_bits.get(name, DEFAULT_BITS) for name in names}


def _spiking(
    folded: FoldedPopulation,
    real: FoldedNeuron,
    bits: int,
    method: Method,
    leak: ShiftSum,
    membrane_bits: int | None,
    fraction: int | None,
) -> tuple[Population, LayerReport]:
    wanted = weight_scale([(p.weight, bits) for p in folded.projections], method)
    scale = with_floor(wanted, real.threshold, folded.bias)
    if fraction is None:
        fraction = choose_fraction(real.threshold / scale)
    unit = scale / (1 << fraction)
    neuron = Neuron(
        levels=real.levels,
        threshold=np.maximum(_rounded(real.threshold / unit), 1),
        rounding=real.rounding,
        reset=real.reset,
        leak=leak,
        membrane_bits=membrane_bits,
    )
    population = Population(
        name=folded.name,
        projections=_projections(folded, bits, scale),
        bias=_rounded(folded.bias / unit)[None],
        fraction=fraction,
        neuron=neuron,
        scale=unit,
    )
    return population, layer_report(folded, population, scale, int((scale > wanted).sum()))


def _readout(
    folded: FoldedPopulation, steps: int, bits: int, method: Method
) -> tuple[Population, LayerReport]:
    """The readout has no threshold to resolve and takes F = 0.

    Its bias is then wrong by at most half a weight step, where the rounded weights of a class are
    wrong by several.
    """
    scale = readout_scale([(p.weight, bits) for p in folded.projections], folded.bias, method)
    population = Population(
        name=folded.name,
        projections=_projections(folded, bits, scale),
        bias=_rounded(folded.bias / scale)[None],
        scale=scale / steps,
    )
    return population, layer_report(folded, population, scale, 0)


def choose_fraction(thresholds: Reals) -> int:
    """`F`: the smallest 0..8 that makes every threshold, given in units of weight, at least 32."""
    for fraction in range(MAX_FRACTION):
        if _rounded(thresholds * (1 << fraction)).min() >= LEAST_THRESHOLD:
            return fraction
    return MAX_FRACTION


def _projections(folded: FoldedPopulation, bits: int, scale: Reals) -> tuple[Projection, ...]:
    return tuple(Projection(p.source, round_weight(p.weight, bits, scale), bits) for p in folded.projections)


def _rounded(values: Reals) -> Integers:
    return np.rint(values).astype(np.int64)
