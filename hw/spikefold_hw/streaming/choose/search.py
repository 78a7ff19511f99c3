"""The choice of lanes and units: the cheapest design that reaches its goal."""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf

from spikefold.ir import Network
from spikefold.ir.stages import INPUT
from spikefold_hw.calibration import Levels, affordable_samples, first_samples
from spikefold_hw.cycles import Cycles
from spikefold_hw.streaming.choose.exact import timing
from spikefold_hw.streaming.choose.goal import Chosen, Goal, slowest
from spikefold_hw.streaming.choose.options import ABOUT, Option, Options, options_of
from spikefold_hw.streaming.plan import Plan

MOST_LANES = 32
_LATER = 1.10
_AIMS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.35, 0.2, 0.0)
_CELLS_OF_A_TRIAL = 20_000

Trial = Callable[[Chosen], Cycles]
"""Exact timing of a choice on a few samples."""


def choose(
    plan: Plan,
    network: Network,
    levels: Levels,
    lanes: Mapping[str, int],
    units: Mapping[str, int],
    goal: Goal,
) -> Chosen:
    """The cheapest design that reaches a goal.

    Without a rate or budget the stage with most work gets up to 32 lanes, and every other stage the
    cheapest way to be about as fast; where all stages have one position, the latency too must stay within
    10 %. With a rate every stage is the cheapest that reaches it. With a budget alone the fastest design
    that fits is taken.

    Parameters
    ----------
    plan
        Plan of the network with any lanes and units, but those in `lanes` as given there.
    levels
        Calibration data.
    lanes, units
        What the user has fixed, by population.

    Raises
    ------
    InputError
        If the goal is out of reach; the message names the stage, what binds it and what can be reached.
    """
    options = options_of(plan, levels, lanes, units)
    smallest = cheapest(options, inf)
    if goal.fps is not None:
        return _for_rate(options, goal, lambda chosen: timing(with_stages(plan, chosen), levels).interval)
    if goal.budgeted:
        goal.check_budgets(smallest)
        return _within_budgets(options, goal)
    return _usual(options, plan, network, levels)


def with_stages(plan: Plan, chosen: Chosen) -> Plan:
    """The plan with the chosen stages."""
    stages = (chosen[stage.name].stage for stage in plan.stages)
    return replace(plan, stages=tuple(stage for stage in stages if stage is not None))


def cheapest(options: Options, cycles: float) -> Chosen:
    """For every stage the option of fewest LUTs that needs at most so many cycles a sample, or the fastest.

    Of the lane counts with equal units that is the smallest.
    """
    chosen = {}
    for name, ways in options.items():
        fast = [option for option in ways if option.pace.cycles <= cycles]
        fastest = min(ways, key=lambda option: option.pace.cycles)
        chosen[name] = min(fast, key=lambda option: option.luts, default=fastest)
    return chosen


def _within_budgets(options: Options, goal: Goal) -> Chosen:
    """The fastest design that fits. LUTs fall as the pace slows, and memory does but for padding."""
    paces = sorted({option.pace.cycles for ways in options.values() for option in ways})
    place = bisect_left(paces, True, key=lambda cycles: goal.holds(cheapest(options, cycles)))
    return cheapest(options, paces[place])


def _for_rate(options: Options, goal: Goal, interval: Callable[[Chosen], float]) -> Chosen:
    fastest = cheapest(options, 0)
    name = slowest(fastest)
    if (cycles := fastest[name].pace.cycles) > goal.cycles:
        goal.refuse_rate(cycles, _binding(name, fastest[name]))
    chosen = _slowest_within(options, goal.cycles, goal.cycles, interval)
    if chosen is None:
        goal.refuse_rate(interval(fastest), "stages wait for each other, and together they take")
    goal.check_budgets(chosen)
    return chosen


def _slowest_within(
    options: Options, pace: float, most: float, interval: Callable[[Chosen], float]
) -> Chosen | None:
    """The choice of a pace, or of a faster one where stages wait for each other, with at most `most` cycles.

    None if not even the fastest stages reach it.
    """
    before = None
    for aim in _AIMS:
        chosen = cheapest(options, aim * pace)
        if chosen != before and interval(chosen) <= most:
            return chosen
        before = chosen
    return None


def _binding(name: str, option: Option) -> str:
    """What binds the fastest option of a stage, up to the number of cycles."""
    if name == INPUT:
        return "the input's events alone take, one a cycle,"
    lanes = (
        f"the {option.lanes} lanes it was given"
        if option.fixed
        else f"{option.lanes} lanes, the most it can use"
    )
    return {
        "lanes": f"the digits of {name!r} take, on {lanes},",
        "drain": f"draining the sums of {name!r} takes",
        "gather": f"gathering the windows of {name!r} takes, one event a cycle,",
        "scan": f"sending the cells of {name!r} takes, one channel a cycle,",
    }[option.pace.bound]


def _usual(options: Options, plan: Plan, network: Network, levels: Levels) -> Chosen:
    """Fewer lanes than `MOST_LANES` wherever that costs next to nothing."""
    # Given units may need more lanes than that.
    options = {name: [way for way in ways if _is_usual(way)] or ways[:1] for name, ways in options.items()}
    few = first_samples(levels, affordable_samples(network, cells=_CELLS_OF_A_TRIAL))

    def trial(chosen: Chosen) -> Cycles:
        return timing(with_stages(plan, chosen), few)

    if all(shape.positions == 1 for shape in network.maps.values()):
        return _layer_by_layer(options, trial)
    return _at_one_pace(options, trial)


def _is_usual(option: Option) -> bool:
    return option.lanes <= MOST_LANES or option.fixed


def _at_one_pace(options: Options, trial: Trial) -> Chosen:
    """All stages about as fast as the slowest, or faster where they would wait for each other too long."""
    most = cheapest(options, 0)
    pace, best = most[slowest(most)].pace.cycles, trial(most).interval
    chosen = _slowest_within(options, ABOUT * pace, ABOUT * best, lambda chosen: trial(chosen).interval)
    assert chosen is not None  # `most` itself is
    return chosen


def _layer_by_layer(options: Options, trial: Trial) -> Chosen:
    """Lanes taken from one layer after another while neither interval nor latency grow too much."""
    # With each number of lanes the most units that makes a difference.
    options = {name: list({way.lanes: way for way in ways}.values()) for name, ways in options.items()}
    chosen = {name: ways[-1] for name, ways in options.items()}
    best = trial(chosen)
    for name, ways in options.items():
        for fewer in ways[-2::-1]:
            tried = trial({**chosen, name: fewer})
            if tried.interval > ABOUT * best.interval or tried.latency > _LATER * best.latency:
                break
            chosen[name] = fewer
    return chosen
