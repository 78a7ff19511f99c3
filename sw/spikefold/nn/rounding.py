"""How a model's weights were rounded while it was trained: what it should be compiled with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from spikefold.codec import decode, encode
from spikefold.errors import InputError, ModelError
from spikefold.nn import checks

_ATTRIBUTE = "spikefold_rounding"
_META = "rounding"


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
    leak_terms: int = 3
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


def to_meta(model: torch.nn.Module) -> dict[str, Any]:
    """What a model file says about it."""
    found = rounding_of(model)
    return {} if found is None else {_META: encode(found)}


def from_meta(what: str, meta: Mapping[str, Any]) -> Rounding | None:
    """Read what a model file says about it, or, of one that was written before it did, its recipe.

    Raises
    ------
    ModelError
        If it is broken; `what` names the file.
    """
    if _META in meta:
        try:
            return decode(Rounding, meta[_META], f"{what}: {_META}", defaults=True)
        except InputError as error:
            raise ModelError(str(error)) from error
    recipe = meta.get("recipe")
    training = recipe.get("training") if isinstance(recipe, dict) else None
    options = training if isinstance(training, dict) else {}
    bits, terms = options.get("weight_bits"), options.get("leak_terms", 3)
    return Rounding(bits, leak_terms=terms) if type(bits) is int and type(terms) is int else None
