"""What a model should be compiled with: how it was rounded in training, and how near its leaks must come."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from spikefold.codec import decode, encode
from spikefold.errors import InputError, ModelError
from spikefold.nn import checks

_ATTRIBUTE = "spikefold_rounding"
_META = "rounding"
_TERMS_ATTRIBUTE = "spikefold_leak_terms"
_TERMS_META = "leak_terms"
LEAK_TERMS = 3
"""Most signed powers of two that a leak is the sum of, where nobody says it."""


@dataclass(frozen=True)
class Rounding:
    """Options of `spikefold.quantize.quantize` that a model was trained with.

    Raises
    ------
    ModelError
        If one is out of range.
    """

    weight_bits: int | dict[str, int]
    method: str = "max"
    leak_terms: int = LEAK_TERMS
    identity_bits: int = 8
    membrane_bits: int | None = None

    def __post_init__(self) -> None:
        bits = self.weight_bits if isinstance(self.weight_bits, dict) else {"all layers": self.weight_bits}
        for name, each in bits.items():
            checks.integer(f"Weight bits of {name}", each, 1, 8)
        checks.choice("Method", self.method, ("max", "mse"))
        checks.integer("Leak terms K", self.leak_terms, 1, 8)
        checks.integer("Identity bits", self.identity_bits, 1, 8)
        if self.membrane_bits is not None:
            checks.integer("Membrane bits", self.membrane_bits, 4, 48)


def rounding_of(model: torch.nn.Module) -> Rounding | None:
    """How weights of ``model`` were rounded in training, None if they were not."""
    found = vars(model).get(_ATTRIBUTE)
    return found if isinstance(found, Rounding) else None


def remember_rounding(model: torch.nn.Module, rounding: Rounding | None) -> None:
    """Note on ``model`` how its weights were rounded in training: ``save`` keeps it, ``compile`` uses it."""
    vars(model)[_ATTRIBUTE] = rounding


def leak_terms_of(model: torch.nn.Module) -> int:
    """Most signed powers of two for a leak of ``model``: as it was imported with, else 3."""
    found = vars(model).get(_TERMS_ATTRIBUTE)
    return found if isinstance(found, int) else LEAK_TERMS


def remember_leak_terms(model: torch.nn.Module, terms: int) -> None:
    """Note on ``model`` with how many terms its leaks are right: ``save`` keeps it, ``compile`` uses it.

    Raises
    ------
    ModelError
        If it is not 1..8.
    """
    vars(model)[_TERMS_ATTRIBUTE] = checks.integer("Leak terms K", terms, 1, 8)


def to_meta(model: torch.nn.Module) -> dict[str, Any]:
    """What a model file says about it."""
    found, terms = rounding_of(model), vars(model).get(_TERMS_ATTRIBUTE)
    meta = {} if found is None else {_META: encode(found)}
    return meta if terms is None else {**meta, _TERMS_META: terms}


def restore(model: torch.nn.Module, what: str, meta: Mapping[str, Any]) -> None:
    """Note on ``model`` what its file says about it.

    Raises
    ------
    ModelError
        If that is broken; `what` names the file.
    """
    remember_rounding(model, _rounding(what, meta))
    if _TERMS_META in meta:
        try:
            remember_leak_terms(model, meta[_TERMS_META])
        except ModelError as error:
            raise ModelError(f"{what}: {error}") from error


def _rounding(what: str, meta: Mapping[str, Any]) -> Rounding | None:
    """Read how a file's model was rounded, or, of one that was written before it said so, its recipe."""
    if _META in meta:
        try:
            return decode(Rounding, meta[_META], f"{what}: {_META}", defaults=True)
        except InputError as error:
            raise ModelError(str(error)) from error
    recipe = meta.get("recipe")
    training = recipe.get("training") if isinstance(recipe, dict) else None
    options = training if isinstance(training, dict) else {}
    bits, terms = options.get("weight_bits"), options.get("leak_terms", LEAK_TERMS)
    return Rounding(bits, leak_terms=terms) if type(bits) is int and type(terms) is int else None
