"""The ways a stage can be built: lanes and drain, with the pace, LUTs and memory of each."""

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import gcd, inf

from spikefold.balance.calibrate import AUTO, Levels
from spikefold.balance.cost import luts_of, memory_of
from spikefold.balance.pace import LayerWork, Pace, Work, input_pace, work_of
from spikefold.errors import InputError
from spikefold.ir import Network
from spikefold.ir.network import INPUT
from spikefold.ir.profile import LayerProfile, Profile, StageProfile
from spikefold.ir.profiling import MAX_LANES

Counts = str | int | Mapping[str, int]
"""`auto`, a number for every population, or numbers by population."""

ABOUT = 1.02
"""Ratio up to which two paces count as the same."""


@dataclass(frozen=True)
class Option:
    """One way to build a stage; for the input stream `stage` is None.

    `luts` are estimated, `memories` are bits by name; `fixed` says that the user chose the lanes.
    """

    stage: StageProfile | None
    pace: Pace
    luts: int
    memories: Mapping[str, int]
    fixed: bool = False

    @property
    def lanes(self) -> int:
        """Lanes; 0 of a stage without any."""
        return self.stage.lanes if isinstance(self.stage, LayerProfile) else 0

    @property
    def bits(self) -> int:
        """Bits of memory."""
        return sum(self.memories.values())


Options = dict[str, list[Option]]
"""Options of every stage by name, the input first; by lanes, then by drain."""


def parse_counts(subject: str, given: Counts, network: Network) -> dict[str, int]:
    """Read `auto`, a number for all populations, or `name=number,..`; returns those that are given.

    Raises
    ------
    InputError
        If a population is unknown or a count is not a positive integer.
    """
    if given == AUTO:
        return {}
    names = [population.name for population in network.populations]
    if isinstance(given, Mapping):
        counts = dict(given)
    elif "=" in str(given):
        counts = dict(part.partition("=")[::2] for part in str(given).split(","))
    else:
        counts = dict.fromkeys(names, given)
    for name, count in counts.items():
        if name not in names:
            raise InputError(f"{subject} must name one of {', '.join(names)}, not {name!r}")
        counts[name] = _positive(f"{subject.removesuffix('s')} count of {name!r}", count)
    return counts


def _positive(subject: str, count: object) -> int:
    try:
        number = int(count) if isinstance(count, str) else operator.index(count)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InputError(f"{subject} must be a positive integer, not {count!r}") from None
    if number < 1 or isinstance(count, bool):
        raise InputError(f"{subject} must be a positive integer, not {count}")
    return number


def options_of(
    profile: Profile, levels: Levels, lanes: Mapping[str, int], drain: Mapping[str, int]
) -> Options:
    """All options of a design.

    Parameters
    ----------
    profile
        Its profile with any lanes; those in `lanes` must be as given there.
    lanes, drain
        What the user has fixed, by population.

    Raises
    ------
    InputError
        If a drain does not divide the channels of a group.
    """
    options: Options = {INPUT: [Option(None, input_pace(profile, levels), luts_of(None, profile), {})]}
    for name, work in work_of(profile, levels).items():
        stage = next(stage for stage in profile.stages if stage.name == name)
        if isinstance(stage, LayerProfile):
            counts = [stage.lanes] if name in lanes else lane_counts(stage)
            paces = [(n, *found) for n in counts for found in _paces(stage, work, n, drain.get(name))]
            options[name] = [
                _costed(profile, replace(stage, lanes=n, drain=q), pace, name in lanes)
                for n, q, pace in paces
            ]
            if not paces:
                _refuse_drain(stage, drain[name], name in lanes)
        else:
            options[name] = [_costed(profile, stage, work.pace())]
    return options


def lane_counts(layer: LayerProfile) -> list[int]:
    """Lane counts worth a try, in order: for each number of blocks the fewest, and multiples of drains."""
    channels = layer.group_channels
    counts = set()
    for blocks in range(1, channels + 1):
        fewest = -(-channels // blocks)
        for drain in divisors(channels):
            rounded = -(-fewest // drain) * drain
            if rounded <= MAX_LANES and -(-channels // rounded) == -(-channels // fewest):
                counts.add(rounded)
    return sorted(counts)


def divisors(number: int) -> list[int]:
    """Divisors of a positive number, in order."""
    return [k for k in range(1, number + 1) if number % k == 0]


def _paces(
    layer: LayerProfile, work: Work, lanes: int, fixed: int | None = None
) -> Iterator[tuple[int, Pace]]:
    """Drains that fit so many lanes, from 1 on as long as each makes a difference; or the fixed one."""
    least = inf
    for drain in divisors(gcd(lanes, layer.group_channels)):
        if fixed not in (None, drain):
            continue
        pace = work.pace(lanes, drain)
        if ABOUT * pace.cycles < least:
            least = pace.cycles
            yield drain, pace
        if pace.cycles <= max(pace.parts["lanes"], pace.parts["gather"]):
            return


def _costed(profile: Profile, stage: StageProfile, pace: Pace, fixed: bool = False) -> Option:
    return Option(stage, pace, luts_of(stage, profile), memory_of(stage, profile), fixed)


def _refuse_drain(layer: LayerProfile, drain: int, fixed: bool) -> None:
    lanes = f"its {layer.lanes} lanes and " if fixed else ""
    raise InputError(
        f"Drain of {layer.name!r} must divide {lanes}the {layer.group_channels} channels of a group, "
        f"not be {drain}"
    )


def helped(profile: Profile, layer: LayerProfile, levels: Levels) -> tuple[str, Pace] | None:
    """What would make a layer faster, "lanes" (twice as many) or "drain" (the next larger), and its pace."""
    work = LayerWork(profile, layer, levels)
    found: dict[str, Pace] = {}
    twice = min(2 * layer.lanes, layer.group_channels, MAX_LANES)
    if twice > layer.lanes:
        *_, (_, found["lanes"]) = _paces(layer, work, twice)
    larger = [k for k in divisors(gcd(layer.lanes, layer.group_channels)) if k > layer.drain]
    if larger:
        found["drain"] = work.pace(layer.lanes, larger[0])
    best = min(found, key=lambda what: found[what].cycles, default=None)
    now = work.pace(layer.lanes, layer.drain)
    return (best, found[best]) if best is not None and ABOUT * found[best].cycles < now.cycles else None
