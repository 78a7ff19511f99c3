"""What quantization lost, layer by layer."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefold.fold.folded import FoldedIdentity, FoldedNeuron, FoldedPopulation, Reals
from spikefold.ir import Neuron, Population
from spikefold.quantize.grid import Grid
from spikefold.quantize.rounding import largest_weight

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LayerReport:
    """Losses of one population.

    Attributes
    ----------
    name, weight_bits, fraction
        Name, weight bits (the most of a projection that is no identity) and `F` of the population.
    weight_rms
        Root mean square error of the weights, identities included, over their root mean square.
    weight_max
        Largest error of a weight over the largest weight.
    threshold_max
        Largest relative error of a threshold; 0 for the readout, which has none.
    bias_max
        Largest error of a bias, in units of one step of its channel's weights.
    leak, leak_used
        The trained leak and the sum of shifts in its place, of the channel where they are furthest apart;
        None for the readout.
    leak_channel
        That channel; None where all channels have one leak.
    factor, factor_used
        The trained reset factor and the sum of shifts in its place; None without one.
    fire_floor_max
        Largest error of a fire floor, in units of one step of its channel's weights; None without one.
    thresholds_raised
        Thresholds that rounded to 0 and were made 1.
    scales_raised
        Channels whose weights vanish beside their threshold or bias, see `scales.with_floor`.
    weights_lost
        Channels whose weights all became 0, beside a bias or threshold that is too large for them: as where
        the bias of one class collapses all other logits.
    never_firing
        Channels that can never fire, since a capped membrane does not reach their threshold.
    weights_clipped
        Weights of two bits and more that lie beyond the largest integer by over half a step.
    binary_rounded
        Whether weights of a binary layer take more than one bit, see `quantize.grid.choose_grid`.
    """

    name: str
    weight_bits: int
    fraction: int
    weight_rms: float
    weight_max: float
    threshold_max: float
    bias_max: float
    leak: float | None
    leak_used: float | None
    leak_channel: int | None
    factor: float | None
    factor_used: float | None
    fire_floor_max: float | None
    thresholds_raised: int
    scales_raised: int
    weights_lost: int
    never_firing: int
    weights_clipped: int
    binary_rounded: bool

    def __str__(self) -> str:
        text = (
            f"{self.name}: {self.weight_bits}-bit weights, error {self.weight_rms:.2%} rms, "
            f"{self.weight_max:.2%} at most; bias within {self.bias_max:.2g} weight steps"
        )
        if self.leak is not None:
            text += f"; thresholds within {self.threshold_max:.2%}"
            if self.leak_used != self.leak:
                where = (
                    "" if self.leak_channel is None else f" of channel {self.leak_channel}, which errs most,"
                )
                text += f"; leak{where} {self.leak:g} became {self.leak_used:g}"
            if self.factor_used != self.factor:
                text += f"; reset factor {self.factor:g} became {self.factor_used:g}"
        if self.thresholds_raised:
            text += f"; {self.thresholds_raised} thresholds too small for F = {self.fraction} became 1"
        if self.scales_raised:
            text += f"; {self.scales_raised} channels with vanishing weights"
        if self.weights_lost:
            text += f"; {self.weights_lost} channels all of whose weights became 0 beside a bias or threshold"
        if self.never_firing:
            text += f"; {self.never_firing} channels that never fire, as their membrane is capped too low"
        if self.weights_clipped:
            text += f"; {self.weights_clipped} weights clipped"
        if self.binary_rounded:
            text += "; binary weights of several magnitudes, not all of one bit"
        return text


@dataclass(frozen=True)
class QuantizationReport:
    """Losses of a whole network."""

    layers: tuple[LayerReport, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"layers": [asdict(layer) for layer in self.layers]}

    def __str__(self) -> str:
        return "\n".join(map(str, self.layers))


def layer_report(folded: FoldedPopulation, population: Population, grid: Grid) -> LayerReport:
    """Compare a population with the real numbers it stands for."""
    scale = _array(grid.scale)
    unit = scale / (1 << population.fraction)
    reals = [_array(projection.flat) for projection in folded.projections]
    pairs = list(zip(folded.projections, population.projections, strict=True))
    weight = np.concatenate([real.ravel() for real in reals])
    rounded = [(p.flat * scale[:, None]).ravel() for p in population.projections]
    error = np.concatenate(rounded) - weight
    bias_error = abs(population.bias[0] * unit - _array(folded.bias)) / scale
    return LayerReport(
        name=population.name,
        weight_bits=max(p.bits for real, p in pairs if not isinstance(real, FoldedIdentity)),
        fraction=population.fraction,
        weight_rms=_ratio(np.sqrt((error**2).mean()), np.sqrt((weight**2).mean())),
        weight_max=_ratio(abs(error).max(), abs(weight).max()),
        bias_max=float(bias_error.max()),
        **_neuron_losses(folded.neuron, population.neuron, scale, unit),
        scales_raised=int(grid.raised.sum()),
        weights_lost=_lost(reals, population),
        never_firing=0 if population.neuron is None else int((~population.neuron.can_fire).sum()),
        weights_clipped=sum(_clipped(w, p.bits, scale) for w, (_, p) in zip(reals, pairs, strict=True)),
        binary_rounded=any(real.binary and p.bits > 1 for real, p in pairs),
    )


def _neuron_losses(
    real: FoldedNeuron | None, neuron: Neuron | None, scale: Array, unit: Array
) -> dict[str, Any]:
    """The fields of a report that tell of a neuron; `unit` is the real value of a unit of membrane."""
    found: dict[str, Any] = {"threshold_max": 0.0, "thresholds_raised": 0, "fire_floor_max": None}
    found |= dict.fromkeys(("leak", "leak_used", "leak_channel", "factor", "factor_used"))
    if real is None or neuron is None:
        return found
    threshold = _array(real.threshold)
    found["threshold_max"] = float(abs(neuron.threshold * unit / threshold - 1).max())
    found["thresholds_raised"] = int((threshold / unit < 0.5).sum())
    found |= _leak_losses(real, neuron)
    if neuron.factor is not None:
        found |= {"factor": real.factor, "factor_used": neuron.factor.value}
    if neuron.fire_floor is not None and real.fire_floor is not None:
        found["fire_floor_max"] = float((abs(neuron.fire_floor * unit - real.fire_floor) / scale).max())
    return found


def _leak_losses(real: FoldedNeuron, neuron: Neuron) -> dict[str, Any]:
    """Of the channel whose leak is furthest from the trained one."""
    leaks, used = np.broadcast_arrays(real.leaks, neuron.leak.value)
    worst = int(abs(used - leaks).argmax())
    channel = worst if len(leaks) > 1 else None
    return {"leak": float(leaks[worst]), "leak_used": float(used[worst]), "leak_channel": channel}


def _lost(reals: list[Array], population: Population) -> int:
    """Channels that had weights and have none."""
    had = np.any([real.any((0, 2)) for real in reals], 0)
    has = np.any([projection.flat.any((0, 2)) for projection in population.projections], 0)
    return int((had & ~has).sum())


def _clipped(weight: Array, bits: int, scale: Array) -> int:
    largest = largest_weight(bits) + 0.5
    return int((abs(weight) > largest * scale[:, None] * (1 + 1e-9)).sum()) if bits > 1 else 0


def _array(values: Reals) -> Array:
    return values.cpu().numpy()


def _ratio(part: float, whole: float) -> float:
    """A share; of nothing, the part itself."""
    return float(part / whole) if whole > 0 else float(part)
