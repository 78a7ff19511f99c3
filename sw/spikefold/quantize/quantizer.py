"""From real numbers to the integer network."""

from collections.abc import Mapping

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
from spikefold.ir.neuron import Integers
from spikefold.ir.stages import Stage
from spikefold.quantize.fitting import Fitter
from spikefold.quantize.fraction import choose_fraction
from spikefold.quantize.grid import DEFAULT_BITS, IDENTITY_BITS, Grid, choose_grids
from spikefold.quantize.leak import leak_shifts, shifts_of
from spikefold.quantize.report import LayerReport, QuantizationReport, layer_report
from spikefold.quantize.rounding import round_weight
from spikefold.quantize.scales import Method
from spikefold.quantize.units import Units, count_units


def quantize(
    folded: FoldedNetwork,
    *,
    weight_bits: int | Mapping[str, int] = DEFAULT_BITS,
    method: Method = "max",
    leak_terms: int = 3,
    membrane_bits: int | None = None,
    identity_bits: int = IDENTITY_BITS,
    fractions: Mapping[str, int] | None = None,
    samples: Integers | None = None,
) -> tuple[Network, QuantizationReport]:
    """Round a folded network to integers ("Quantize" of docs/numerics.md).

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
        `F` by population, where it must be that of hardware that exists already; else `choose_fractions`.
    samples
        Input levels as `Input.encode` gives them: weights and biases are then fitted to what the layers
        compute on them (`quantize.fitting`), and `method` decides nothing but the scales of one-bit weights.

    Returns
    -------
    tuple
        The integer network and the report of what rounding lost.

    Raises
    ------
    InputError
        If an option is out of range or names no population, a layer could never fire, or there are samples
        but not one, or of another shape.
    """
    if samples is not None and not len(samples):
        raise InputError(
            "Samples to fit weights to must be at least one, not 0; give none for plain rounding"
        )
    grids = choose_grids(folded, weight_bits, identity_bits, method)
    capped, fractions = membrane_bits is not None, fractions or {}
    fitter = None
    if samples is not None:
        reference, _ = quantize(folded, weight_bits=8, leak_terms=leak_terms)
        fitter = Fitter(folded, reference, samples)
    stages: list[Stage] = []
    layers: list[LayerReport] = []
    for stage in folded.stages:
        whole: Stage
        if isinstance(stage, FoldedPopulation):
            grid = grids[stage.name]
            fitted, grid = (stage, grid) if fitter is None else fitter.fit(stage, grid)
            fraction = fractions.get(stage.name, choose_fraction(folded, stage, grid, capped))
            units = count_units(fitted, grid.scale, fraction)
            neuron = None if stage.neuron is None else _neuron(stage.neuron, units, leak_terms, membrane_bits)
            _check_can_fire(stage.name, neuron)
            whole = _population(fitted, grid, units, neuron, folded.steps)
            layers.append(layer_report(stage, whole, grid))
        else:
            whole = stage
        stages.append(whole)
        if fitter is not None:
            fitter.see(whole)
    network = Network(folded.input, folded.steps, tuple(stages), folded.name)
    return network, QuantizationReport(tuple(layers))


def _population(
    folded: FoldedPopulation, grid: Grid, units: Units, neuron: Neuron | None, steps: int
) -> Population:
    pairs = zip(folded.projections, grid.bits, strict=True)
    unit = units.unit if neuron is not None else units.unit / steps
    return Population(
        name=folded.name,
        projections=tuple(_projection(projection, bits, grid.scale) for projection, bits in pairs),
        bias=_integers(units.bias)[None],
        fraction=units.fraction,
        neuron=neuron,
        scale=unit.cpu().numpy(),
    )


def _neuron(real: FoldedNeuron, units: Units, leak_terms: int, membrane_bits: int | None) -> Neuron:
    assert units.threshold is not None
    return Neuron(
        levels=real.levels,
        threshold=_integers(units.threshold),
        rounding=real.rounding,
        reset=real.reset,
        leak=shifts_of(real.leak, leak_terms),
        factor=None if real.factor is None else leak_shifts(real.factor, leak_terms),
        fire_floor=None if units.fire_floor is None else _integers(units.fire_floor),
        membrane_bits=membrane_bits,
    )


def _check_can_fire(name: str, neuron: Neuron | None) -> None:
    if neuron is not None and not neuron.can_fire.any():
        bits, first = neuron.membrane_bits, int(neuron.first_spike.min())
        raise InputError(
            f"Membranes of {name!r} must reach a threshold, but of {bits} bits reach {(1 << bits - 1) - 1} "  # type: ignore[operator]
            f"where the first spike takes {first}, so that it would never fire: give it at least "
            f"{first.bit_length() + 1} bits, or fewer weight bits"
        )


def _projection(folded: FoldedProjection, bits: int, scale: Reals) -> Projection:
    weight = _integers(round_weight(folded.weight, bits, scale))
    if isinstance(folded, FoldedConv):
        return Conv(folded.source, weight, bits, folded.stride, folded.padding, folded.groups)
    kind = Identity if isinstance(folded, FoldedIdentity) else Dense
    return kind(folded.source, weight, bits)


def _integers(whole: Reals) -> Integers:
    return whole.cpu().numpy().astype(np.int64)
