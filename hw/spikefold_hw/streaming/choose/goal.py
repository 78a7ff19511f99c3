"""What a design has to reach, and how it is refused if it cannot."""

from collections.abc import Mapping
from math import floor, inf
from typing import NoReturn

from spikefold.errors import InputError
from spikefold.numbers import number
from spikefold_hw.streaming.choose.options import Option
from spikefold_hw.streaming.config import Config

Chosen = dict[str, Option]
"""The option taken for each stage, by name."""


class Goal:
    """What a configuration asks a design to reach: a rate, or budgets of LUTs and memory."""

    def __init__(self, config: Config):
        self.fps, self.clock_mhz, self.cycles = config.fps, config.clock_mhz, config.cycles
        self.lut_budget, self.memory_budget = config.lut_budget, config.memory_budget
        self.budgeted = config.budgeted

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


def cost_of(chosen: Chosen) -> tuple[int, int]:
    """LUTs and bits of memory of all stages together."""
    return sum(option.luts for option in chosen.values()), sum(option.bits for option in chosen.values())


def slowest(chosen: Mapping[str, Option]) -> str:
    """The stage that sets the pace; the first of several."""
    return max(chosen, key=lambda name: chosen[name].pace.cycles)
