"""How much accuracy integers lose, which layer loses it, and what would mend it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from spikefold.ir import Network
from spikefold.quantize import QuantizationReport

TOLERATED = 1.0
"""Points of accuracy that may be lost without a word."""

Score = Callable[[Network], float]


@dataclass(frozen=True)
class LayerLoss:
    """A layer, its weight bits, and what the network would reach if this layer alone had 8 bits (percent)."""

    name: str
    weight_bits: int
    accuracy_exact: float


@dataclass(frozen=True)
class Loss:
    """What an integer network loses. All in percent of samples.

    Attributes
    ----------
    measure
        "accuracy" on labelled data, or "agreement" with the classes of the float network.
    wanted, reached
        What the float network has (its agreement with itself is 100), and the integer network.
    reached_exact
        What the integer network reaches where all weights have 8 bits.
    layers
        The layers, the one that loses most first.
    mends
        What to do, the surest first.
    """

    measure: str
    wanted: float
    reached: float
    reached_exact: float
    layers: tuple[LayerLoss, ...]
    mends: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self._what()} {self._who()} What mends it: {'; or '.join(self.mends)}"

    def _what(self) -> str:
        if self.measure == "accuracy":
            lost = f"{self.wanted - self.reached:.2f} points below the float network's {self.wanted:.2f} %."
            return f"Integer accuracy of {self.reached:.2f} % is {lost}"
        share = f"{100 - self.reached:.2f} % of the calibration samples."
        return f"The integer network gives another class than the float network for {share}"

    def _who(self) -> str:
        worst, exact = self.layers[0], f"with 8 bits everywhere {self.reached_exact:.2f} %."
        if worst.accuracy_exact <= self.reached:
            return f"No layer's weights alone lose it: {exact}"
        alone = f"with 8-bit weights there alone it would be {worst.accuracy_exact:.2f} %"
        return f"{worst.name} loses most of it: {alone}, {exact}"


def diagnose(
    network: Network,
    exact: Network,
    report: QuantizationReport,
    score: Score,
    wanted: float,
    *,
    measure: str,
    fitted: bool,
    trained: bool,
) -> Loss:
    """Find who loses the accuracy, one layer at a time.

    Parameters
    ----------
    network, exact
        The integer network, and the same with weights of 8 bits and as many shifts, no membrane capped.
    report
        What rounding lost in `network`.
    score
        Percent of samples that a network gets right.
    wanted
        The float network's score.
    fitted
        Whether weights were fitted to samples.
    trained
        Whether the model was trained with rounded weights.
    """
    bits = {layer.name: layer.weight_bits for layer in report.layers}
    layers = [
        LayerLoss(name, most, round(score(_with(network, exact, name)), 4)) for name, most in bits.items()
    ]
    layers.sort(key=lambda layer: -layer.accuracy_exact)
    reached, reached_exact = score(network), score(exact)
    mends = [] if fitted or trained else ["weights fitted to calibration data (--method fit)"]
    if layers[0].accuracy_exact > reached:
        mends.append(f"more bits there (--weight-bits {_bits_with(report, layers[0].name)})")
        mends.append("bits chosen for each layer (--weight-bits auto)")
    if wanted - reached_exact > TOLERATED:
        mends += _other_mends(report, _is_capped(network))
    few = max(2, min(bits.values()))
    mends.append(
        f"training with rounded weights (spikefold train RECIPE --quantize bits={few} --from MODEL, or "
        "spikefold.train.fake_quantized around your own loop)"
    )
    return Loss(
        measure, round(wanted, 4), round(reached, 4), round(reached_exact, 4), tuple(layers), tuple(mends)
    )


def _with(network: Network, exact: Network, name: str) -> Network:
    """A network with one stage of another: stages hand on levels, whatever their weights are."""
    own = exact.by_name[name]
    return replace(network, stages=tuple(own if stage.name == name else stage for stage in network.stages))


def _is_capped(network: Network) -> bool:
    return any(p.neuron is not None and p.neuron.membrane_bits is not None for p in network.populations)


def _other_mends(report: QuantizationReport, capped: bool) -> list[str]:
    """What to do where exact weights would not help."""
    found = ["wider membranes (--membrane-bits), or none capped"] if capped else []
    if any(layer.leak_used != layer.leak for layer in report.layers):
        found.append("more shifts for the leak (--leak-terms)")
    return found


def _bits_with(report: QuantizationReport, name: str) -> str:
    """The weight bits as an option, with 8 for one layer."""
    return ",".join(
        f"{layer.name}={8 if layer.name == name else layer.weight_bits}" for layer in report.layers
    )
