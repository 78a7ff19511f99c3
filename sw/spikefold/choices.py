"""What a user can choose of a model's way to integers, and how choices become configurations."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any

from spikefold.errors import InputError, shown
from spikefold.limits import INTEGER_BITS


@dataclass(frozen=True)
class ModelChoices:
    """How a trained model becomes integers.

    Attributes
    ----------
    weight_bits
        1..8, for all populations or by name, or "auto" for as few as lose no more than `max_loss`. None for
        those that the model was trained with, else 4.
    max_loss, weight_budget
        With "auto": points of accuracy that may be lost (0.5), and most bits of all weights together.
    identity_bits
        1..8, of the weights of shortcuts. None for as trained, else 8.
    input_levels
        `D_in` in place of the one the model was trained with, 1..255.
    method
        Scale of weights: "max" or "mse" as in `spikefold.quantize.quantize`, or "fit" for weights fitted to
        samples. "auto" is as trained; of a model trained without rounding "fit" where there are a hundred
        samples, else "max".
    membrane_bits, leak_terms
        As `spikefold.quantize.quantize`; None for as trained, else never, and as imported or 3.
    pooling
        As `spikefold.fold.fold`.
    """

    weight_bits: int | str | Mapping[str, int] | None = field(
        default=None,
        metadata={"help": "1..8, layer=bits,.., or auto (see --max-loss); default: as trained, else 4."},
    )
    max_loss: float | None = field(
        default=None, metadata={"help": "Points of accuracy that --weight-bits auto may lose; default: 0.5."}
    )
    weight_budget: int | None = field(
        default=None, metadata={"help": "Most bits of all weights together, for --weight-bits auto."}
    )
    identity_bits: int | None = field(
        default=None, metadata={"help": "1..8, of shortcuts' weights; default: as trained, else 8."}
    )
    input_levels: int | None = field(default=None, metadata={"help": "D_in, 1..255; default: as trained."})
    membrane_bits: int | None = field(
        default=None, metadata={"help": "Let membranes saturate at this width; default: never."}
    )
    method: str = field(
        default="auto",
        metadata={
            "help": "Rounding of weights: max, mse, fit (to what layers compute on the data), or auto: as "
            "trained, else fit where there is data."
        },
    )
    leak_terms: int | None = field(
        default=None,
        metadata={
            "help": "Most shifts that a leak or reset factor is the sum of; "
            "default: as trained or imported, else 3."
        },
    )
    pooling: str = field(default="auto", metadata={"help": "Average pools: auto, unit or compose."})

    @property
    def bits(self) -> int | str | Mapping[str, int] | None:
        """The weight bits, read where they are text but "auto". Raises InputError if a part is no number."""
        chosen = self.weight_bits
        return parse_weight_bits(chosen) if isinstance(chosen, str) and chosen != "auto" else chosen


def parse_weight_bits(text: str) -> int | dict[str, int]:
    """Read a number for all layers, or `layer=number,..`.

    Raises
    ------
    InputError
        If a part is not a number.
    """
    try:
        if "=" not in text:
            return int(text)
        pairs = (part.partition("=") for part in text.split(","))
        return {name: int(bits) for name, _, bits in pairs}
    except ValueError:
        raise InputError(
            f"Weight bits must be a number 1..8, layer=number,.. or auto, not {text!r}"
        ) from None


def names_of(kind: type) -> list[str]:
    """The choices that a configuration class has."""
    return [one.name for one in fields(kind)]


def sort_choices(given: Mapping[str, Any], *kinds: type) -> list[dict[str, Any]]:
    """The choices of each configuration class.

    Raises
    ------
    InputError
        If a choice is of none of them, or no plain value.
    """
    known = [name for kind in kinds for name in names_of(kind)]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            raise InputError(f"Choice {name!r} of compile is unknown; {hint}")
        if not _is_plain(given[name]):
            raise InputError(
                f"Choice {name!r} of compile must be a number, text, or a table of them, "
                f"not {shown(given[name])}"
            )
    return [{name: given[name] for name in names_of(kind) if name in given} for kind in kinds]


def _is_plain(value: object) -> bool:
    """Whether a value is None, text, a number of few digits, or a mapping from text to such."""
    if isinstance(value, Mapping):
        keys, members = value.keys(), value.values()
        nested = any(isinstance(member, Mapping) for member in members)
        return not nested and all(isinstance(key, str) for key in keys) and all(map(_is_plain, members))
    if isinstance(value, int):
        return value.bit_length() < INTEGER_BITS
    return value is None or isinstance(value, str | Real)
