"""What a design has to reach, and how it is refused if it cannot."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, inf, isfinite
from typing import NoReturn

from spikefold.balance.options import Option
from spikefold.errors import InputError

Chosen = dict[str, Option]
"""The option taken for each stage, by name."""


@dataclass(frozen=True)
class Goal:
    """What a design has to reach.

    Attributes
    ----------
    fps
        Samples a second; or None.
    clock_mhz
        Clock frequency that `fps` is counted with.
    lut_budget, memory_budget
        Most LUTs (estimated), and most bits of memory; or None.

    Raises
    ------
    InputError
        If a number is not positive.
    """

    fps: float | None = None
    clock_mhz: float = 100.0
    lut_budget: int | None = None
    memory_budget: int | None = None

    def __post_init__(self) -> None:
        _check_positive("Frames per second", self.fps, (int, float))
        _check_positive("Clock in MHz", self.clock_mhz, (int, float), needed=True)
        _check_positive("LUT budget", self.lut_budget, int)
        _check_positive("Memory budget in bits", self.memory_budget, int)

    @property
    def cycles(self) -> float:
        """Cycles there are for a sample; infinite where no rate is asked for."""
        return inf if self.fps is None else self.clock_mhz * 1e6 / self.fps

    @property
    def budgeted(self) -> bool:
        """Whether LUTs or memory are limited."""
        return self.lut_budget is not None or self.memory_budget is not None

    def holds(self, chosen: Chosen) -> bool:
        """Whether a choice fits the budgets."""
        luts, bits = cost_of(chosen)
        return luts <= (self.lut_budget or inf) and bits <= (self.memory_budget or inf)

    def check_budgets(self, chosen: Chosen) -> None:
        """Refuse a choice that does not fit the budgets.

        Raises
        ------
        InputError
            Tells what is needed, and the largest memories or the largest stage.
        """
        luts, bits = cost_of(chosen)
        need = f"{self.fps:g} frames per second need" if self.fps else "the smallest design needs"
        if self.memory_budget is not None and bits > self.memory_budget:
            sizes = {name: size for option in chosen.values() for name, size in option.memories.items()}
            names = sorted(sizes, key=sizes.__getitem__, reverse=True)[:3]
            largest = ", ".join(f"{name} ({number(sizes[name])})" for name in names)
            raise InputError(
                f"Memory budget must be at least {number(bits)} bits, not {number(self.memory_budget)}: "
                f"{need} {number(bits - self.memory_budget)} more; the largest memories are {largest}; use "
                "fewer weight bits or a smaller network"
            )
        if self.lut_budget is not None and luts > self.lut_budget:
            largest = max(chosen, key=lambda name: chosen[name].luts)
            raise InputError(
                f"LUT budget must be at least {number(luts)}, not {number(self.lut_budget)}: {need} "
                f"{number(luts - self.lut_budget)} more by estimate; the largest stage is {largest!r} with "
                f"{number(chosen[largest].luts)}"
            )

    def refuse_rate(self, cycles: float, why: str) -> NoReturn:
        """Refuse the rate, as a sample takes so many cycles at least; `why` ends before their number."""
        reached = floor(self.clock_mhz * 1e8 / cycles) / 100
        raise InputError(
            f"Frames per second must be at most {reached:.10g} at {self.clock_mhz:g} MHz, not {self.fps:g}: "
            f"{why} {number(cycles)} cycles a sample, {cycles / self.cycles:.3g} times the "
            f"{number(self.cycles)} there are"
        )


def _check_positive(
    subject: str, value: object, kinds: type | tuple[type, ...], needed: bool = False
) -> None:
    if value is None and not needed:
        return
    if isinstance(value, bool) or not isinstance(value, kinds) or not isfinite(value) or value <= 0:
        what = "integer" if kinds is int else "number"
        raise InputError(f"{subject} must be a positive {what}, not {value!r}")


def cost_of(chosen: Chosen) -> tuple[int, int]:
    """LUTs and bits of memory of all stages together."""
    return sum(option.luts for option in chosen.values()), sum(option.bits for option in chosen.values())


def slowest(chosen: Mapping[str, Option]) -> str:
    """The stage that sets the pace; the first of several."""
    return max(chosen, key=lambda name: chosen[name].pace.cycles)


def number(value: float) -> str:
    """A number for people, its thousands apart."""
    return f"{value:,.0f}".replace(",", " ")
