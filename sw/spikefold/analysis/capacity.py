"""Representation space and capacity of spike trains (PIT Definition 1 and 2, Eq. 14-19, Table 1).

The paper's capacity is the logarithm of how many configurations it counts: ``(D + 1)^N`` vectors of ``N``
neurons at one time step, for each of ``T`` steps, so ``T * (D + 1)^N``. That is the number of pairs (time
step, vector). Whole spike trains, a vector at every step, are ``(D + 1)^(N * T)``; their logarithm is given
beside it as ``train_bits``. A learned scale adds directions to the space, but no configurations (Corollary
1), so PIT has the capacity of I-LIF.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spikefold.errors import InputError


@dataclass(frozen=True)
class Capacity:
    """Capacity of ``neurons`` (N) neurons with ``symbols`` values each over ``steps`` (T) time steps."""

    steps: int
    symbols: int
    neurons: int

    def __post_init__(self) -> None:
        for subject, value, low in (
            ("Time steps T", self.steps, 1),
            ("Symbols of a neuron", self.symbols, 2),
            ("Neurons N", self.neurons, 1),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise InputError(f"{subject} must be an integer of at least {low}, not {value!r}")

    @property
    def nats(self) -> float:
        """``ln(T * symbols^N)`` (Eq. 17)."""
        return math.log(self.steps) + self.neurons * math.log(self.symbols)

    @property
    def bits(self) -> float:
        """``log2(T * symbols^N)``."""
        return math.log2(self.steps) + self.neurons * math.log2(self.symbols)

    @property
    def train_bits(self) -> float:
        """``log2`` of the number of whole spike trains, ``symbols^(N * T)``."""
        return self.steps * self.neurons * math.log2(self.symbols)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        own = {"steps": self.steps, "symbols": self.symbols, "neurons": self.neurons}
        return own | {"nats": self.nats, "bits": self.bits, "train_bits": self.train_bits}


@dataclass(frozen=True)
class Method:
    """A row of Table 1: how the space is spanned, and from which values of a spike.

    ``space`` and ``formula`` are the paper's, in plain text; ``symbols`` gives the number of values of a
    spike for the largest level D.
    """

    name: str
    space: str
    formula: str
    symbols: Callable[[int], int]


_BINARY, _TERNARY, _LEVELS = "{0, 1}", "{-1, 0, 1}", "{0, .., D}"


def _space(coefficients: str, values: str) -> str:
    return f"{{ sum_i sum_j {coefficients} s_ij | s_ij in {values} }}"


METHODS: tuple[Method, ...] = (
    Method("vanilla binary spike", _space("k_j", _BINARY), "log(T 2^N)", lambda levels: 2),
    Method("ternary spike", _space("k_j", _TERNARY), "log(T 3^N)", lambda levels: 3),
    Method("trainable ternary spike", _space("a k_j", _TERNARY), "log(T 3^N)", lambda levels: 3),
    Method("real spike", _space("a_j k_j", _BINARY), "log(T 2^N)", lambda levels: 2),
    Method("PIT", _space("a_ij k_j", _LEVELS), "log(T (D+1)^N)", lambda levels: levels + 1),
)


def capacity_table(steps: int, levels: int, neurons: int) -> dict[str, Capacity]:
    """Return Table 1 in numbers: the capacity of every method for ``T``, ``D`` and ``N``, by its name.

    Raises
    ------
    InputError
        Unless all three are integers of at least 1.
    """
    if isinstance(levels, bool) or not isinstance(levels, int) or levels < 1:
        raise InputError(f"Levels D must be an integer of at least 1, not {levels!r}")
    return {method.name: Capacity(steps, method.symbols(levels), neurons) for method in METHODS}
