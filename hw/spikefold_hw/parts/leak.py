"""A leak of each channel: the terms that occur, how a channel's are coded, and the stages that add them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Const, Value, signed

from spikefold.errors import ModelError
from spikefold.ir.neuron import MAX_SHIFT, Integers, ShiftSum, ShiftSums
from spikefold_hw.parts.arithmetic import add, select
from spikefold_hw.parts.pipeline import Pipeline

Term = tuple[int, int]


@dataclass(frozen=True)
class LeakTerm:
    """One term of every channel's leak: what it may be.

    A channel's code holds the place of its shift, one place more for no term at all, and above it, where
    there are both signs, whether it is subtracted.

    Attributes
    ----------
    shifts
        Those that occur, ascending.
    signs
        Those that occur: (1,), (-1,) or (1, -1).
    optional
        Whether some channels have no such term.
    """

    shifts: tuple[int, ...]
    signs: tuple[int, ...]
    optional: bool

    def __post_init__(self) -> None:
        if not self.shifts or list(self.shifts) != sorted({*self.shifts} & {*range(MAX_SHIFT + 1)}):
            raise ModelError(
                f"Shifts of a leak's term must be some of 0..{MAX_SHIFT}, ascending, not {self.shifts}"
            )
        if self.signs not in ((1,), (-1,), (1, -1)):
            raise ModelError(f"Signs of a leak's term must be 1, -1 or both, 1 first, not {self.signs}")

    @property
    def choices(self) -> int:
        """Operands that it is chosen from."""
        return len(self.shifts) + self.optional

    @property
    def place_bits(self) -> int:
        """Bits of the place in a code."""
        return (self.choices - 1).bit_length()

    @property
    def bits(self) -> int:
        """Bits of a code."""
        return self.place_bits + len(self.signs) - 1

    def admits(self, other: "LeakTerm") -> bool:
        """Whether it may be all that another may be."""
        return (
            set(self.shifts) >= set(other.shifts)
            and set(self.signs) >= set(other.signs)
            and self.optional >= other.optional
        )

    def code(self, term: Term | None) -> int:
        """What a channel stores that has this term, or None."""
        sign, shift = (1, None) if term is None else term
        place = len(self.shifts) if shift is None else self.shifts.index(shift)
        return place | (len(self.signs) > 1 and sign < 0) << self.place_bits


ChannelLeak = tuple[LeakTerm, ...]
Leak = ShiftSum | ChannelLeak
"""The part of a leak that shapes hardware: one sum for all channels, or the terms of each."""


def leak_shape(leak: ShiftSum | ShiftSums) -> Leak:
    """The part of a neuron's leak that shapes hardware; a channel's k-th largest term is the k-th."""
    if isinstance(leak, ShiftSum):
        return leak
    sums = [_sorted(each) for each in leak.channels]
    found = []
    for k in range(len(leak.longest.terms)):
        terms = [each[k] for each in sums if k < len(each)]
        shifts, signs = ({term[i] for term in terms} for i in (1, 0))
        found.append(
            LeakTerm(tuple(sorted(shifts)), tuple(sorted(signs, reverse=True)), len(terms) < len(sums))
        )
    return tuple(found)


def precision_of(leak: Leak) -> int:
    """`E`: the largest shift of any channel."""
    if isinstance(leak, ShiftSum):
        return leak.precision
    return max((shift for term in leak for shift in term.shifts), default=0)


def leak_stages(leak: Leak) -> int:
    """Stages before the one that adds the current: one per term; one more where terms are chosen."""
    return len(leak.terms) if isinstance(leak, ShiftSum) else 1 + len(leak)


def leak_adders(leak: Leak) -> int:
    """What it costs, in adders as wide as a membrane; two operands to choose from cost as much as one."""
    return leak_stages(leak) + (0 if isinstance(leak, ShiftSum) else sum(term.choices // 2 for term in leak))


def code_fields(leak: Leak) -> dict[str, int]:
    """Bits of the codes that each channel stores, by name."""
    if isinstance(leak, ShiftSum):
        return {}
    return {_name(k): term.bits for k, term in enumerate(leak) if term.bits}


def code_rows(leak: ShiftSum | ShiftSums, shape: Leak, channels: int) -> dict[str, Integers]:
    """The codes of a neuron's leak on hardware that `covers` it, by name, (channels,) each."""
    if isinstance(shape, ShiftSum):
        return {}
    sums = leak.channels if isinstance(leak, ShiftSums) else (leak,) * channels
    codes = {each: _codes(each, shape) for each in set(sums)}
    table = np.array([codes[each] for each in sums])
    return {name: table[:, k] for k, name in enumerate(map(_name, range(len(shape)))) if shape[k].bits}


def covers(built: Leak, own: Leak) -> bool:
    """Whether hardware that was built for one leak can do another."""
    if isinstance(built, ShiftSum):
        return own == built
    if isinstance(own, ShiftSum):
        own = tuple(LeakTerm((shift,), (sign,), False) for sign, shift in _sorted(own))
    spare = built[len(own) :]
    pairs = zip(built, own, strict=False)
    return len(own) <= len(built) and all(a.admits(b) for a, b in pairs) and all(a.optional for a in spare)


def leak_each(p: Pipeline, leak: ChannelLeak, value: Callable[[], Value], bits: int, half: int) -> Value:
    """The leak of `value`, with the terms that the codes `leak0`, .. say.

    A stage chooses a term; the next adds it while the term after it is chosen. `value` is asked for anew in
    every stage, sums have so many `bits`, and `half` is added to them before the shift.
    """
    precision = precision_of(leak)
    total: Value = Const(half, signed(precision + 1))
    for k in range(len(leak) + 1):
        updates = {}
        if k > 0:
            updates["total"] = total = _added(leak[k - 1], total, p)[:bits].as_signed()
        if k < len(leak):
            updates |= _chosen(leak[k], value(), getattr(p, _name(k), Const(0, 0)), precision)
        p.stage(**updates)
        total = p.total if k > 0 else total
    return total >> precision


def _chosen(term: LeakTerm, value: Value, code: Value, precision: int) -> dict[str, Value]:
    """A term's operand, its bits inverted if it is subtracted."""
    operands = [value.shift_left(precision - shift) for shift in term.shifts]
    operand = select([*operands, Const(0, signed(1))][: term.choices], code[: term.place_bits])
    if len(term.signs) == 1:
        return {"term": operand}
    negative = code[-1]
    return {"term": operand ^ negative.replicate(len(operand)).as_signed(), "negative": negative}


def _added(term: LeakTerm, total: Value, p: Pipeline) -> Value:
    if len(term.signs) > 1:
        return add(total, p.term, p.negative)
    return total + p.term if term.signs == (1,) else total - p.term


def _codes(leak: ShiftSum, shape: ChannelLeak) -> tuple[int, ...]:
    terms = _sorted(leak)
    return tuple(each.code(terms[k] if k < len(terms) else None) for k, each in enumerate(shape))


def _sorted(leak: ShiftSum) -> tuple[Term, ...]:
    """The terms, the largest first."""
    return tuple(sorted(leak.terms, key=lambda term: (term[1], -term[0])))


def _name(k: int) -> str:
    return f"leak{k}"
