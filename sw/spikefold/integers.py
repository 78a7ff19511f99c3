"""From a trained model to its integer network: which bits, which rounding, and what that loses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from spikefold.bit_search import Demand, choose_bits
from spikefold.choices import ModelChoices
from spikefold.diagnosis import TOLERATED, Loss, Score, diagnose
from spikefold.errors import InputError
from spikefold.fold import FoldedNetwork, Pooling, fold
from spikefold.golden import accuracy
from spikefold.ir import Network
from spikefold.ir.neuron import Integers
from spikefold.nn import Rounding, leak_terms_of, rounding_of
from spikefold.quantize import QuantizationReport, quantize
from spikefold.quantize.fitting import fitting_samples
from spikefold.quantize.grid import DEFAULT_BITS
from spikefold.train.evaluation import classify

AUTO = "auto"
METHODS = (AUTO, "max", "mse", "fit")
MAX_LOSS = 0.5
"""Points of accuracy that chosen bits may lose."""
TELLING = 100
"""So many samples are needed to fit weights to unasked, and to speak of a share of equal classes."""
_MOST_JUDGED = 10_000
_VALUES = 1 << 30

Samples = NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Samples that the way to integers is measured on, with labels if there are any."""

    x: Any
    y: NDArray[np.int64] | None = None

    @property
    def has_features(self) -> bool:
        """Whether the float model can read the samples, which are no levels."""
        return bool(self.x.dtype.kind == "f")

    def part(self, count: int) -> "Evidence":
        """So many samples, from all over them."""
        rows = np.unique(np.linspace(0, len(self.x) - 1, min(count, len(self.x))).astype(np.int64))
        return Evidence(np.asarray(self.x[rows]), None if self.y is None else self.y[rows])

    def judge(self, model: torch.nn.Module) -> tuple[Score, float, str]:
        """How networks are scored (percent), what the float model scores, and what it is called."""
        classes = classify(model, self.x)
        if self.y is None:
            return lambda network: 100 * accuracy(network, self.x, classes), 100.0, "agreement"
        y = self.y
        return (
            (lambda network: 100 * accuracy(network, self.x, y)),
            100 * float((classes == y).mean()),
            "accuracy",
        )


@dataclass(frozen=True, eq=False)
class Converted:
    """An integer network and how it came about.

    Attributes
    ----------
    network, report
        From `quantize`.
    folded
        What was rounded.
    options
        Of `quantize`, but for the bits; `method` is that of the scales where weights were not fitted.
    fitted, trained
        Whether weights were fitted to samples, and whether the model was trained with rounded ones.
    """

    network: Network
    report: QuantizationReport
    folded: FoldedNetwork
    options: dict[str, Any]
    fitted: bool
    trained: bool

    def to_json(self) -> dict[str, Any]:
        """How weights were rounded: plain JSON values."""
        return {
            "method": "fit" if self.fitted else self.options["method"],
            "weight_bits": {layer.name: layer.weight_bits for layer in self.report.layers},
            "trained": self.trained,
        }

    def loss(self, model: torch.nn.Module, evidence: Evidence) -> Loss | None:
        """What is lost on samples and why; None unless it is more than a point, or where too few tell."""
        if evidence.y is None and len(evidence.x) < TELLING:
            return None
        part = evidence.part(_judged_by(self.network))
        score, wanted, measure = part.judge(model)
        if wanted - score(self.network) <= TOLERATED:
            return None
        exact, _ = quantize(self.folded, weight_bits=8, leak_terms=self.options["leak_terms"])
        return diagnose(
            self.network,
            exact,
            self.report,
            score,
            wanted,
            measure=measure,
            fitted=self.fitted,
            trained=self.trained,
        )


def convert(
    model: torch.nn.Module,
    name: str,
    choices: ModelChoices,
    evidence: Evidence | None,
    fractions: Mapping[str, int] | None,
    say: Callable[[str], None],
) -> Converted:
    """Fold and quantize a model.

    Parameters
    ----------
    name
        Name of the network.
    choices
        What the user chose. What is left open is as in training, if weights were rounded there; else weights
        have 4 bits and are fitted to samples where there are a hundred.
    evidence
        Samples to fit weights to and to choose bits by.
    fractions
        As in `quantize`.
    say
        Told what is being done.

    Raises
    ------
    InputError
        If a choice breaks a rule, or needs samples and there are none.
    """
    _check(choices, evidence)
    trained, folded = rounding_of(model), fold(model, name, cast(Pooling, choices.pooling))
    enough = evidence is not None and len(evidence.x) >= TELLING
    fitted = choices.method == "fit" or (choices.method == AUTO and trained is None and enough)
    bits = choices.bits
    if bits is None:
        bits = DEFAULT_BITS if trained is None else trained.weight_bits
    options, levels = _options(choices, trained, leak_terms_of(model)), None
    if evidence is not None and (fitted or bits == AUTO):
        levels = _levels(folded, evidence)

    def build(weight_bits: int | Mapping[str, int]) -> tuple[Network, QuantizationReport]:
        samples = levels if fitted else None
        return quantize(folded, weight_bits=weight_bits, fractions=fractions, samples=samples, **options)

    if isinstance(bits, str):
        assert evidence is not None
        assert levels is not None
        say("choosing weight bits")
        score, exact, _ = evidence.part(_judged_by(build(8)[0])).judge(model)
        most = MAX_LOSS if choices.max_loss is None else choices.max_loss
        demand = Demand(lambda each: build(each)[0], score, exact, most, choices.weight_budget)
        bits = choose_bits(folded, levels, demand)
    network, report = build(bits)
    return Converted(network, report, folded, options, fitted, trained is not None)


def _check(choices: ModelChoices, evidence: Evidence | None) -> None:
    if choices.method not in METHODS:
        raise InputError(
            f"Quantization method must be one of {', '.join(map(repr, METHODS))}, not {choices.method!r}"
        )
    if choices.method == "fit" and evidence is None:
        raise InputError("Quantization method 'fit' must have samples to fit to: give calibration or data")
    if choices.bits == AUTO and evidence is None:
        raise InputError("Weight bits 'auto' must have samples to choose by: give calibration or data")
    if choices.bits == AUTO and evidence is not None and not evidence.has_features:
        raise InputError(
            f"Weight bits 'auto' must have features in floating point to choose by, not {evidence.x.dtype}"
        )
    for what, value in (("Max loss", choices.max_loss), ("Weight budget", choices.weight_budget)):
        if value is None:
            continue
        if choices.bits != AUTO:
            raise InputError(f"{what} must go with weight bits 'auto', not {choices.weight_bits!r}")
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value < float("inf"):
            raise InputError(f"{what} must be a number of at least 0, not {value!r}")


def _options(choices: ModelChoices, trained: Rounding | None, leak_terms: int) -> dict[str, Any]:
    """Of `quantize`, but for bits and samples: as chosen, else as trained, else as the model needs."""
    found = vars(trained or Rounding(DEFAULT_BITS, leak_terms=leak_terms)).copy()
    del found["weight_bits"]
    given = {key: getattr(choices, key) for key in ("leak_terms", "identity_bits", "membrane_bits")}
    if choices.method in ("max", "mse"):
        given["method"] = choices.method
    return found | {key: value for key, value in given.items() if value is not None}


def _levels(folded: FoldedNetwork, evidence: Evidence) -> Integers:
    """Input levels of the samples that weights are fitted to."""
    network, _ = quantize(folded)
    return network.input.encode(evidence.part(fitting_samples(network)).x, network.steps)


def _judged_by(network: Network) -> int:
    """How many samples a network is judged by, again and again: fewer of a large one."""
    each = network.steps * sum(shape.size for shape in network.maps.values())
    return min(_MOST_JUDGED, max(256, _VALUES // each))
