"""What all importers ask of a neuron's parameters."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikefold.errors import ImportRefusal
from spikefold.importers.imported import Note
from spikefold.nn.neurons.leak import PerChannel
from spikefold.quantize.leak import leak_shifts

MOST_TERMS = 8
ROUNDING = 1e-7
"""What a leak may be off by as a float32 number, without a note."""


@dataclass(frozen=True)
class Precision:
    """How near a leak must come to the source's; with the default a leak from 0 to 1 is at most 0.016 off.

    Attributes
    ----------
    terms
        Most signed powers of two that a leak is the sum of, 1..8; the model keeps it for `compile`.
    error
        Largest difference allowed.
    """

    terms: int = 3
    error: float = 0.02


def leak(node: str, value: float, precision: Precision) -> tuple[float, Note | None]:
    """The leak that the hardware has for the source's `value`, and a note where they differ.

    Raises
    ------
    ImportRefusal
        If it is not 0..1, or further off than allowed.
    """
    if not (math.isfinite(value) and 0 <= value <= 1):
        raise ImportRefusal(node, f"its membrane decays by the factor {value!r}", "a factor from 0 to 1")
    near = leak_shifts(value, precision.terms).value
    error = abs(near - value)
    if error > precision.error:
        raise ImportRefusal(
            node,
            f"its leak {value:.6g} is no sum of {precision.terms} shifts to within {precision.error:.3g} "
            f"(nearest: {near:.6g})",
            _accepted(value, precision, error),
        )
    if error < ROUNDING:
        return near, None
    return near, Note(node, f"leak {value:.6g} became {near:.6g}, a sum of shifts", error)


def leaks(
    node: str, values: Tensor | NDArray[np.float64], precision: Precision
) -> tuple[PerChannel, Note | None]:
    """As `leak`, of each channel of (channels,): one leak where the source's channels agree.

    The note tells of the channel that is furthest off.
    """
    each = [float(value) for value in values]
    found = {value: leak(node, value, precision) for value in dict.fromkeys(each)}
    if len(found) == 1:
        return found[each[0]]
    near = tuple(found[value][0] for value in each)
    worst = max(range(len(each)), key=lambda k: abs(near[k] - each[k]))
    error = abs(near[worst] - each[worst])
    kept: PerChannel = near if len(set(near)) > 1 else near[0]
    if error < ROUNDING:
        return kept, None
    text = (
        f"leaks of its channels became sums of shifts, that of channel {worst}, which errs most, "
        f"{near[worst]:.6g} from {each[worst]:.6g}"
    )
    return kept, Note(node, text, error)


def _accepted(value: float, precision: Precision, error: float) -> str:
    larger = f"an allowed error of {math.ceil(error * 1e4) / 1e4:g} or more"
    for terms in range(precision.terms + 1, MOST_TERMS + 1):
        if abs(leak_shifts(value, terms).value - value) <= precision.error:
            return f"{terms} shifts (leak_terms), or {larger}"
    return larger


def threshold(node: str, value: float) -> float:
    """The same threshold; raises ImportRefusal unless it is finite and above 0."""
    if not (math.isfinite(value) and value > 0):
        raise ImportRefusal(node, f"its threshold is {value!r}", "a finite threshold above 0")
    return float(value)


def step(node: str, name: str, fires: Callable[[Tensor], Tensor], at_zero: int, accepted: str) -> None:
    """Refuse firing that is no step at the threshold.

    `fires` gives spikes for membranes less the threshold, `at_zero` of them exactly there.
    """
    membranes = torch.tensor([-1.0, -1e-3, 0.0, 0.5, 3.0])
    with torch.no_grad():
        fired = fires(membranes).tolist()
    if fired != [0, 0, at_zero, 1, 1]:
        raise ImportRefusal(node, f"its {name} gives {fired} at {membranes.tolist()}", accepted)


def zero(node: str, name: str, value: float) -> None:
    """Raise ImportRefusal unless a voltage is 0."""
    if value != 0:
        raise ImportRefusal(node, f"its {name} is {value!r}", f"{name} = 0")


def levels(node: str, value: int) -> int:
    """The same number of levels; raises ImportRefusal unless it is 1..255."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 255:
        raise ImportRefusal(node, f"its largest level is {value!r}", "1..255 levels")
    return value
