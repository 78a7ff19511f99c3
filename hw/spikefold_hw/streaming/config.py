"""What a user can choose of a pipeline. The command line reads it for `--help`, so numpy is imported late."""

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

from spikefold.errors import InputError
from spikefold_hw.memory_choice import Wishes

if TYPE_CHECKING:
    from spikefold_hw.order import Order

AUTO = "auto"
WEIGHTS = ("rom", "loaded")
MAX_TAG_BITS = 32

Counts = str | int | Mapping[str, int]
"""`auto`, a number for every population, or numbers by population; as text `name=number,..`."""


@dataclass(frozen=True)
class Config:
    """The user's choices.

    Attributes
    ----------
    lanes
        "auto", a number for every layer, or numbers by layer (the others automatic).
    units
        Neurons drained per cycle: as `lanes`; they divide lanes and channels of a group.
    coding
        "auto", "binary", "naf" or "unary".
    order
        How time runs: "position_major" (all steps of a position, then the next position), "step_major",
        or "auto": position-major for a static input, else step-major. A hyphen serves too.
    weights
        "rom" for memories with contents, "loaded" for memories that a host fills after a reset.
    memories, macro
        What `memory_choice.choose_memories` takes: where memories are put, and modules in their place.
    checks
        Whether the input is checked: a broken sample then spoils itself only, and its result says so.
    tag_bits
        Width of a tag that enters with a sample and leaves with its result, 0..32.
    fps, clock_mhz
        Samples a second that have to be reached at this clock, with the fewest lanes that do.
    lut_budget, memory_budget
        Most LUTs (by estimate) and bits of memory; the fastest design that fits is taken.

    Raises
    ------
    InputError
        If a choice is unknown or a number not positive.
    """

    lanes: Counts = field(default=AUTO, metadata={"help": "auto, a number, or layer=number,.."})
    units: Counts = field(
        default=AUTO, metadata={"help": "Neurons drained a cycle: auto, a number, or layer=number,.."}
    )
    coding: str = field(default=AUTO, metadata={"help": "auto, binary, naf or unary."})
    order: str = field(default=AUTO, metadata={"help": "Order of time: auto, position-major or step-major."})
    weights: str = field(default="rom", metadata={"help": "rom, or loaded (by a host after a reset)."})
    memories: Wishes = field(
        default=AUTO,
        metadata={
            "help": "Where memories are put: auto, block, distributed, ultra or spram, +single for one port; "
            "for all, or memory=style,.. by name, pattern or bits x rows."
        },
    )
    macro: Wishes = field(
        default="",
        metadata={
            "help": "Modules in the place of memories: memory=module,.. by name, pattern or bits x rows."
        },
    )
    checks: bool = field(
        default=True,
        metadata={"help": "Check the input: a broken sample spoils only itself, and its result says so."},
    )
    tag_bits: int = field(
        default=0, metadata={"help": "Bits of a tag that goes with a sample to its result, up to 32."}
    )
    fps: float | None = field(
        default=None, metadata={"help": "Samples a second to reach, with the fewest lanes that do."}
    )
    clock_mhz: float = field(default=100.0, metadata={"help": "Clock that --fps counts with."})
    lut_budget: int | None = field(
        default=None, metadata={"help": "Most LUTs: the fastest design that fits by estimate."}
    )
    memory_budget: int | None = field(
        default=None, metadata={"help": "Most bits of memory, as --lut-budget."}
    )

    def __post_init__(self) -> None:
        from spikefold.ir.coding import CODINGS
        from spikefold_hw.order import ORDERS

        object.__setattr__(self, "order", str(self.order).replace("-", "_"))
        if self.order not in (AUTO, *ORDERS):
            raise InputError(f"Order of time must be auto, position-major or step-major, not {self.order!r}")
        if self.weights not in WEIGHTS:
            raise InputError(f"Weights must be {' or '.join(WEIGHTS)}, not {self.weights!r}")
        if self.coding not in (AUTO, *CODINGS):
            raise InputError(
                f"Coding must be auto, {', '.join(CODINGS[:-1])} or {CODINGS[-1]}, not {self.coding!r}"
            )
        if not isinstance(self.checks, bool):
            raise InputError(f"Checks must be True or False, not {self.checks!r}")
        if isinstance(self.tag_bits, bool) or not isinstance(self.tag_bits, int):
            raise InputError(f"Tag bits must be an integer, not {self.tag_bits!r}")
        if not 0 <= self.tag_bits <= MAX_TAG_BITS:
            raise InputError(f"Tag bits must be 0 to {MAX_TAG_BITS}, not {self.tag_bits}")
        _check_positive("Frames per second", self.fps, (int, float))
        _check_positive("Clock in MHz", self.clock_mhz, (int, float), needed=True)
        _check_positive("LUT budget", self.lut_budget, int)
        _check_positive("Memory budget in bits", self.memory_budget, int)

    @property
    def wanted_order(self) -> "Order | None":
        """The order that was asked for, if one was."""
        from spikefold_hw.order import ORDERS

        return next((order for order in ORDERS if order == self.order), None)

    @property
    def loaded(self) -> bool:
        """Whether a host fills the memories."""
        return self.weights == "loaded"

    @property
    def budgeted(self) -> bool:
        """Whether LUTs or memory are limited."""
        return self.lut_budget is not None or self.memory_budget is not None

    @property
    def cycles(self) -> float:
        """Cycles there are for a sample; infinite where no rate is asked for."""
        return inf if self.fps is None else self.clock_mhz * 1e6 / self.fps

    def counts(self, subject: str, names: list[str]) -> dict[str, int]:
        """The lanes or units of populations that are given; `subject` is the field's name.

        Raises
        ------
        InputError
            If a population is unknown or a count is not a positive integer.
        """
        given: Counts = getattr(self, subject)
        if given == AUTO:
            return {}
        counts: dict[str, Any]
        if isinstance(given, Mapping):
            counts = dict(given)
        elif "=" in str(given):
            pairs = (part.partition("=") for part in str(given).split(","))
            counts = {name: count for name, _, count in pairs}
        else:
            counts = dict.fromkeys(names, given)
        subject = subject.capitalize()
        for name, count in counts.items():
            if name not in names:
                raise InputError(f"{subject} must name one of {', '.join(names)}, not {name!r}")
            counts[name] = _positive(f"{subject.removesuffix('s')} count of {name!r}", count)
        return counts


def _positive(subject: str, count: Any) -> int:
    try:
        number = int(count) if isinstance(count, str) else operator.index(count)
    except (TypeError, ValueError):
        raise InputError(f"{subject} must be a positive integer, not {count!r}") from None
    if number < 1 or isinstance(count, bool):
        raise InputError(f"{subject} must be a positive integer, not {count}")
    return number


def _check_positive(
    subject: str, value: object, kinds: type | tuple[type, ...], needed: bool = False
) -> None:
    if value is None and not needed:
        return
    number = isinstance(value, int | float) and isinstance(value, kinds) and not isinstance(value, bool)
    if not (number and isinstance(value, int | float) and isfinite(value) and value > 0):
        what = "integer" if kinds is int else "number"
        raise InputError(f"{subject} must be a positive {what}, not {value!r}")
