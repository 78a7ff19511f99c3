"""Lanes and units as they are chosen: the default, rates and budgets."""

import numpy as np
import pytest
from conv_case import levels_of
from plans import chosen
from random_networks import chain_network, random_graph, random_graph_levels

from spikefold.golden import Golden
from spikefold_hw.streaming.architecture import ARCHITECTURE
from spikefold_hw.streaming.choose.exact import timing
from spikefold_hw.streaming.choose.goal import cost_of, slowest
from spikefold_hw.streaming.choose.search import cheapest, with_stages
from spikefold_hw.streaming.config import Config
from spikefold_hw.streaming.planning import plan_of


def lanes_of(found):
    return {name: option.lanes for name, option in found.items() if option.lanes}


def test_default_keeps_the_pace_of_the_most_lanes(case, options):
    network, levels = case
    found, plan = chosen(network, levels)
    most = cheapest(options, 0)
    best = timing(with_stages(plan, most), levels).interval
    assert timing(plan, levels).interval <= 1.03 * best
    assert cost_of(found)[0] < 0.9 * cost_of(most)[0]
    name = slowest(found)
    assert found[name].pace.cycles <= 1.021 * most[slowest(most)].pace.cycles


def test_default_has_at_most_32_lanes_unless_they_are_given():
    rng = np.random.default_rng(3)
    network = chain_network(rng, steps=1, size=40, channels=(50, 40), levels=4)
    levels = levels_of(network, samples=20)
    found, _ = chosen(network, levels)
    assert max(lanes_of(found).values()) <= 32
    found, _ = chosen(network, levels, lanes={"layer0": 50})
    assert found["layer0"].lanes == 50
    found, _ = chosen(network, levels, units={"layer1": 40})
    assert (found["layer1"].lanes, found["layer1"].stage.units) == (40, 40)


def test_one_position_keeps_the_latency():
    rng = np.random.default_rng(4)
    network = chain_network(rng, steps=2, size=60, channels=(40, 30), levels=4)
    levels = levels_of(network, samples=20)
    found, plan = chosen(network, levels)
    most = plan_of(network, {"layer0": 32, "layer1": 30, "readout": 3})
    before, after = timing(most, levels), timing(plan, levels)
    assert after.latency <= 1.1 * before.latency
    assert after.interval <= 1.02 * before.interval
    assert sum(lanes_of(found).values()) < 65


def test_given_lanes_and_units_stay(case):
    network, levels = case
    found, _ = chosen(network, levels, lanes={"layer1": 4}, units={"layer2": 4})
    assert found["layer1"].lanes == 4
    assert found["layer2"].stage.units == 4
    assert found["layer2"].lanes % 4 == 0


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_rate(case, options, part):
    """Rates between that of one lane each and the fastest: reached, and not by more than needed."""
    network, levels = case
    pace = [max(min(w.pace.cycles for w in ways) for ways in options.values())]
    pace += [max(ways[0].pace.cycles for ways in options.values())]
    fps = 50e6 / (pace[0] + part * (pace[1] - pace[0]))
    found, plan = chosen(network, levels, fps=fps, clock_mhz=50)
    assert timing(plan, levels).interval <= 50e6 / fps
    for name, option in found.items():
        cheaper = [way for way in options[name] if way.luts < option.luts]
        assert all(way.pace.cycles > 0.75 * 50e6 / fps for way in cheaper), name


def test_the_rate_it_names_is_nearly_reached(case, options):
    network, levels = case
    fastest = cheapest(options, 0)
    fps = 0.6 * 1e8 / fastest[slowest(fastest)].pace.cycles
    chosen(network, levels, fps=fps)


def test_lut_budget_is_used_but_kept(case, options):
    network, levels = case
    smallest, fastest = cost_of(cheapest(options, np.inf))[0], cost_of(cheapest(options, 0))[0]
    before = np.inf
    for budget in (smallest, (2 * smallest + fastest) // 3, (smallest + fastest) // 2, 10 * fastest):
        found, _ = chosen(network, levels, lut_budget=budget)
        assert cost_of(found)[0] <= budget
        pace = found[slowest(found)].pace.cycles
        assert pace <= before
        faster = {w.pace.cycles for ways in options.values() for w in ways if w.pace.cycles < pace}
        if faster and max(faster) >= cheapest(options, 0)[slowest(cheapest(options, 0))].pace.cycles:
            assert cost_of(cheapest(options, max(faster)))[0] > budget
        before = pace
    assert pace == max(min(w.pace.cycles for w in ways) for ways in options.values())


@pytest.mark.parametrize("seed", range(8))
def test_random_graphs(seed):
    """Every choice is a valid plan, reaches its goal, and costs what its stages cost."""
    rng = np.random.default_rng(seed)
    network = random_graph(rng, edge=6, channels=8)
    x = random_graph_levels(rng, network, 4)
    levels = {"input": x, **Golden(network).run(x, record=True).levels}
    found, plan = chosen(network, levels)
    lanes = {layer.name: layer.lanes for layer in plan.layers}
    units = {layer.name: layer.units for layer in plan.layers}
    assert plan == plan_of(network, lanes, plan.coding, plan.time.order, units)
    assert cost_of(found)[1] == ARCHITECTURE.cost(plan).memory_bits
    slow = 0.5e8 / timing(plan, levels).interval
    for goal in ({"fps": slow}, {"lut_budget": cost_of(found)[0]}):
        again, other = chosen(network, levels, **goal)
        assert cost_of(again)[0] <= cost_of(found)[0]
        assert timing(other, levels).interval <= Config(**goal).cycles
