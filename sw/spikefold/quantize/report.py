"""What quantization lost, layer by layer."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from spikefold.fold.folded import FoldedPopulation, Reals
from spikefold.ir import Population


@dataclass(frozen=True)
class LayerReport:
    """Losses of one population.

    Attributes
    ----------
    name, weight_bits, fraction
        Name, weight bits (of the projections that are no identities) and `F` of the population.
    weight_rms
        Root mean square error of the weights, identities included, over their root mean square.
    weight_max
        Largest error of a weight over the largest weight.
    threshold_max
        Largest relative error of a threshold; 0 for the readout, which has none.
    bias_max
        Largest error of a bias, in units of one step of its channel's weights.
    leak, leak_used
        The trained leak and the sum of shifts in its place; None for the readout.
    thresholds_raised
        Thresholds that rounded to 0 and were made 1.
    scales_raised
        Channels whose weights vanish beside their threshold or bias, see `scales.with_floor`.
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
    thresholds_raised: int
    scales_raised: int

    def __str__(self) -> str:
        text = (
            f"{self.name}: {self.weight_bits}-bit weights, error {self.weight_rms:.2%} rms, "
            f"{self.weight_max:.2%} at most; bias within {self.bias_max:.2g} weight steps"
        )
        if self.leak is not None:
            text += f"; thresholds within {self.threshold_max:.2%}"
            if self.leak_used != self.leak:
                text += f"; leak {self.leak:g} became {self.leak_used:g}"
        if self.thresholds_raised:
            text += f"; {self.thresholds_raised} thresholds too small for F = {self.fraction} became 1"
        if self.scales_raised:
            text += f"; {self.scales_raised} channels with vanishing weights"
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


def layer_report(
    folded: FoldedPopulation, population: Population, scale: Reals, bits: int, raised: int
) -> LayerReport:
    """Compare a population with the real numbers it stands for; `scale` is that of a unit of weight."""
    unit = scale / (1 << population.fraction)
    pairs = zip(folded.projections, population.projections, strict=True)
    wanted, errors = [], []
    for real, projection in pairs:
        wanted.append(real.weight.ravel())
        errors.append((projection.flat * scale[:, None] - real.flat).ravel())
    weight, error = np.concatenate(wanted), np.concatenate(errors)
    bias_error = abs(population.bias[0] * unit - folded.bias) / scale
    neuron, real_neuron = population.neuron, folded.neuron
    threshold_max, small = 0.0, 0
    if neuron is not None and real_neuron is not None:
        threshold_max = float(abs(neuron.threshold * unit / real_neuron.threshold - 1).max())
        small = int((real_neuron.threshold / unit < 0.5).sum())
    return LayerReport(
        name=population.name,
        weight_bits=bits,
        fraction=population.fraction,
        weight_rms=_ratio(np.sqrt((error**2).mean()), np.sqrt((weight**2).mean())),
        weight_max=_ratio(abs(error).max(), abs(weight).max()),
        threshold_max=threshold_max,
        bias_max=float(bias_error.max()),
        leak=None if real_neuron is None else real_neuron.leak,
        leak_used=None if neuron is None else neuron.leak.value,
        thresholds_raised=small,
        scales_raised=raised,
    )


def _ratio(part: float, whole: float) -> float:
    """A share; of nothing, the part itself."""
    return float(part / whole) if whole > 0 else float(part)
