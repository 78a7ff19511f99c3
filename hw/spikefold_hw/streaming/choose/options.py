"""The ways a stage can be built: lanes and units, with the pace, LUTs and memory of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import gcd, inf

import numpy as np

from spikefold.errors import InputError
from spikefold.ir.stages import INPUT
from spikefold_hw.calibration import Levels
from spikefold_hw.parts.shapes import Blocks
from spikefold_hw.streaming.choose.cost import luts_of, memory_of
from spikefold_hw.streaming.pace import Pace, Work
from spikefold_hw.streaming.plan import Plan
from spikefold_hw.streaming.planner import MAX_LANES
from spikefold_hw.streaming.stage import Stage

ABOUT = 1.02
"""Ratio up to which two paces count as the same."""


@dataclass(frozen=True)
class Option:
    """One way to build a stage; for the input stream `stage` is None.

    `luts` are estimated, `memories` are bits by name; `fixed` says that the user chose the lanes.
    """

    stage: Stage | None
    pace: Pace
    luts: int
    memories: Mapping[str, int]
    fixed: bool = False

    @property
    def lanes(self) -> int:
        """Lanes; 0 of a stage without any."""
        return self.blocks.lanes if self.blocks is not None else 0

    @property
    def blocks(self) -> Blocks | None:
        """Its blocks of lanes, if it has any."""
        return None if self.stage is None else self.stage.blocks

    @property
    def bits(self) -> int:
        """Bits of memory."""
        return sum(self.memories.values())


Options = dict[str, list[Option]]
"""Options of every stage by name, the input first; by lanes, then by units."""


def options_of(plan: Plan, levels: Levels, lanes: Mapping[str, int], units: Mapping[str, int]) -> Options:
    """All options of a design.

    Parameters
    ----------
    plan
        Its plan with any lanes; those in `lanes` must be as given there.
    lanes, units
        What the user has fixed, by population.

    Raises
    ------
    InputError
        If units do not divide the channels of a group.
    """
    options: Options = {INPUT: [Option(None, input_pace(plan, levels), luts_of(None), {})]}
    for stage in plan.stages:
        work, blocks, name = stage_work(plan, stage, levels), stage.blocks, stage.name
        if blocks is None:
            options[name] = [_costed(stage, work.pace())]
            continue
        counts = [blocks.lanes] if name in lanes else lane_counts(blocks)
        paces = [(n, *found) for n in counts for found in _paces(blocks, work, n, units.get(name))]
        options[name] = [_costed(stage.with_counts(n, q), pace, name in lanes) for n, q, pace in paces]
        if not paces:
            _refuse_units(name, blocks, units[name], name in lanes)
    return options


def input_pace(plan: Plan, levels: Levels) -> Pace:
    """What the input stream needs: a beat per event, and one for a cell without any."""
    first = plan.input
    cells = first.time.in_cells(plan.presented(INPUT, levels[INPUT]), first.map)
    return Pace.of(len(levels[INPUT]), input=np.maximum((cells > 0).sum(axis=1), 1))


def stage_work(plan: Plan, stage: Stage, levels: Levels) -> Work:
    """The work of a stage of a plan."""
    return stage.work({name: plan.presented(name, values) for name, values in levels.items()})


def lane_counts(blocks: Blocks) -> list[int]:
    """Lane counts worth a try, in order: for each number of blocks the fewest, and multiples of units."""
    channels = blocks.group_channels
    counts = set()
    for number in range(1, channels + 1):
        fewest = -(-channels // number)
        for units in divisors(channels):
            rounded = -(-fewest // units) * units
            if rounded <= MAX_LANES and -(-channels // rounded) == -(-channels // fewest):
                counts.add(rounded)
    return sorted(counts)


def divisors(number: int) -> list[int]:
    """Divisors of a positive number, in order."""
    return [k for k in range(1, number + 1) if number % k == 0]


def _paces(blocks: Blocks, work: Work, lanes: int, fixed: int | None = None) -> Iterator[tuple[int, Pace]]:
    """Units that fit so many lanes, from 1 on as long as each makes a difference; or the fixed ones."""
    least = inf
    for units in divisors(gcd(lanes, blocks.group_channels)):
        if fixed not in (None, units):
            continue
        pace = work.pace(lanes, units)
        if ABOUT * pace.cycles < least:
            least = pace.cycles
            yield units, pace
        if pace.cycles <= max(pace.parts["lanes"], pace.parts["gather"]):
            return


def _costed(stage: Stage, pace: Pace, fixed: bool = False) -> Option:
    return Option(stage, pace, luts_of(stage), memory_of(stage), fixed)


def _refuse_units(name: str, blocks: Blocks, units: int, fixed: bool) -> None:
    lanes = f"its {blocks.lanes} lanes and " if fixed else ""
    raise InputError(
        f"Units of {name!r} must divide {lanes}the {blocks.group_channels} channels of a group, "
        f"not be {units}"
    )


@dataclass(frozen=True)
class Remedy:
    """What would make a stage faster, "lanes" (twice as many) or "units" (the next larger), and its pace."""

    what: str
    pace: Pace


def remedy(plan: Plan, stage: Stage, levels: Levels) -> Remedy | None:
    """The better of more lanes and more units, if either makes a difference."""
    blocks = stage.blocks
    if blocks is None:
        return None
    work, found = stage_work(plan, stage, levels), []
    twice = min(2 * blocks.lanes, blocks.group_channels, MAX_LANES)
    if twice > blocks.lanes:
        *_, (_, pace) = _paces(blocks, work, twice)
        found.append(Remedy("lanes", pace))
    larger = [k for k in divisors(gcd(blocks.lanes, blocks.group_channels)) if k > blocks.units]
    if larger:
        found.append(Remedy("units", work.pace(blocks.lanes, larger[0])))
    best = min(found, key=lambda one: one.pace.cycles, default=None)
    now = work.pace(blocks.lanes, blocks.units)
    return best if best is not None and ABOUT * best.pace.cycles < now.cycles else None
