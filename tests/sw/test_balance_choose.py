"""Lanes and drains: the default, rates, budgets, and what is refused."""

import re
from itertools import pairwise

import numpy as np
import pytest
from conv_case import chosen, conv_network, levels_of
from random_networks import chain_network, random_graph, random_graph_levels

from spikefold import balance
from spikefold.balance.choose import cheapest
from spikefold.balance.goal import cost_of, slowest
from spikefold.balance.options import lane_counts, options_of
from spikefold.errors import InputError
from spikefold.golden import Golden
from spikefold.ir import profile_of
from spikefold.ir.profile import LayerProfile
from spikefold_hw.geometry import memory_bits


@pytest.fixture(scope="module")
def case():
    network = conv_network()
    return network, levels_of(network)


@pytest.fixture(scope="module")
def options(case):
    network, levels = case
    return options_of(profile_of(network, {p.name: 1 for p in network.populations}), levels, {}, {})


def lanes_of(found):
    return {name: option.lanes for name, option in found.items() if option.lanes}


def test_lane_counts_are_the_fewest_for_their_blocks(case):
    profile = profile_of(case[0], {p.name: 1 for p in case[0].populations})
    counts = {layer.name: lane_counts(layer) for layer in profile.layers}
    assert counts["layer0"] == [1, 2, 3, 4, 6, 8, 16]
    assert counts["layer3"] == [1, 2, 3, 4, 6, 8, 12]
    assert counts["readout"] == [1, 2, 3, 5]


def test_default_keeps_the_pace_of_the_most_lanes(case, options):
    network, levels = case
    found, profile = chosen(network, levels)
    most = cheapest(options, 0)
    best = balance.timing(balance.with_stages(profile, most), levels).interval
    assert balance.timing(profile, levels).interval <= 1.03 * best
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
    found, _ = chosen(network, levels, drain={"layer1": 40})
    assert (found["layer1"].lanes, found["layer1"].stage.drain) == (40, 40)


def test_one_position_keeps_the_latency():
    rng = np.random.default_rng(4)
    network = chain_network(rng, steps=2, size=60, channels=(40, 30), levels=4)
    levels = levels_of(network, samples=20)
    found, profile = chosen(network, levels)
    most = profile_of(network, {"layer0": 32, "layer1": 30, "readout": 3})
    before, after = balance.timing(most, levels), balance.timing(profile, levels)
    assert after.latency <= 1.1 * before.latency
    assert after.interval <= 1.02 * before.interval
    assert sum(lanes_of(found).values()) < 65


def test_given_lanes_and_drains_stay(case):
    network, levels = case
    found, _ = chosen(network, levels, lanes={"layer1": 4}, drain={"layer2": 4})
    assert found["layer1"].lanes == 4
    assert found["layer2"].stage.drain == 4
    assert found["layer2"].lanes % 4 == 0


def silent_options():
    """Ways to build a network that nothing wakes, so that draining takes longest."""
    network = conv_network()
    silent = {name: np.zeros_like(values) for name, values in levels_of(network).items()}
    return options_of(profile_of(network, {p.name: 1 for p in network.populations}), silent, {}, {})


def test_drains_fit_lanes_and_channels(options):
    ways = [way for found in (options, silent_options()) for some in found.values() for way in some]
    layers = [way.stage for way in ways if isinstance(way.stage, LayerProfile)]
    assert {layer.drain for layer in layers} >= {1, 2, 4}
    for layer in layers:
        assert layer.lanes % layer.drain == layer.group_channels % layer.drain == 0


def test_drain_grows_only_where_it_helps(options):
    """Windows with many digits hide the draining, so the widest layers keep Q = 1."""
    wide = [option.stage.drain for option in options["layer1"] if option.lanes == 4]
    assert wide == [1]
    found = silent_options()
    assert [option.stage.drain for option in found["layer1"] if option.lanes == 4] == [1, 2, 4]
    steps = [step for ways in (*options.values(), *found.values()) for step in pairwise(ways)]
    drained = [(slow, fast) for slow, fast in steps if slow.lanes == fast.lanes]
    assert drained
    for slow, fast in drained:
        assert 1.02 * fast.pace.cycles < slow.pace.cycles


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_rate(case, options, part):
    """Rates between that of one lane each and the fastest: reached, and not by more than needed."""
    network, levels = case
    pace = [max(min(w.pace.cycles for w in ways) for ways in options.values())]
    pace += [max(ways[0].pace.cycles for ways in options.values())]
    fps = 50e6 / (pace[0] + part * (pace[1] - pace[0]))
    found, profile = chosen(network, levels, goal=balance.Goal(fps=fps, clock_mhz=50))
    assert balance.timing(profile, levels).interval <= 50e6 / fps
    for name, option in found.items():
        cheaper = [way for way in options[name] if way.luts < option.luts]
        assert all(way.pace.cycles > 0.75 * 50e6 / fps for way in cheaper), name


def test_rate_out_of_reach_names_stage_and_factor(case, options):
    network, levels = case
    fastest = cheapest(options, 0)
    name = slowest(fastest)
    cycles = fastest[name].pace.cycles
    with pytest.raises(InputError) as error:
        chosen(network, levels, goal=balance.Goal(fps=3e8 / cycles))
    text = str(error.value)
    assert re.match(r"Frames per second must be at most [\d.e+]+ at 100 MHz, not ", text)
    assert repr(name) in text or name == "input"
    assert "3 times the" in text
    reached = float(re.search(r"at most ([\d.]+)", text)[1])
    assert 0.99 * 1e8 / cycles <= reached <= 1e8 / cycles


def test_the_rate_it_names_is_nearly_reached(case, options):
    network, levels = case
    fastest = cheapest(options, 0)
    fps = 0.6 * 1e8 / fastest[slowest(fastest)].pace.cycles
    chosen(network, levels, goal=balance.Goal(fps=fps))


def test_rate_with_given_lanes(case):
    network, levels = case
    with pytest.raises(InputError, match=r"the digits of 'layer1' take, on the 1 lanes it was given"):
        chosen(network, levels, lanes={"layer1": 1}, goal=balance.Goal(fps=20000))


def test_lut_budget_is_used_but_kept(case, options):
    network, levels = case
    smallest, fastest = cost_of(cheapest(options, np.inf))[0], cost_of(cheapest(options, 0))[0]
    before, refused = np.inf, 0
    for budget in (smallest, (2 * smallest + fastest) // 3, (smallest + fastest) // 2, 10 * fastest):
        found, _ = chosen(network, levels, goal=balance.Goal(lut_budget=budget))
        assert cost_of(found)[0] <= budget
        pace = found[slowest(found)].pace.cycles
        assert pace <= before
        faster = {w.pace.cycles for ways in options.values() for w in ways if w.pace.cycles < pace}
        if faster and max(faster) >= cheapest(options, 0)[slowest(cheapest(options, 0))].pace.cycles:
            assert cost_of(cheapest(options, max(faster)))[0] > budget
            refused += 1
        before = pace
    assert refused
    assert pace == max(min(w.pace.cycles for w in ways) for ways in options.values())


def test_lut_budget_too_small(case, options):
    network, levels = case
    smallest = cheapest(options, np.inf)
    luts = cost_of(smallest)[0]
    largest = max(smallest, key=lambda name: smallest[name].luts)
    with pytest.raises(InputError) as error:
        chosen(network, levels, goal=balance.Goal(lut_budget=luts - 7))
    text = str(error.value)
    assert text.startswith(f"LUT budget must be at least {balance.number(luts)}, not ")
    assert f"needs 7 more by estimate; the largest stage is {largest!r}" in text


def test_lut_budget_too_small_for_a_rate(case):
    network, levels = case
    with pytest.raises(InputError, match=r"^LUT budget must be at least .*: 2000 frames per second need "):
        chosen(network, levels, goal=balance.Goal(fps=2000, lut_budget=100))


def test_memory_budget(case, options):
    network, levels = case
    smallest = cheapest(options, np.inf)
    bits = cost_of(smallest)[1]
    _, profile = chosen(network, levels, goal=balance.Goal(memory_budget=bits))
    assert memory_bits(profile) <= bits
    with pytest.raises(InputError) as error:
        chosen(network, levels, goal=balance.Goal(memory_budget=bits - 1))
    text = str(error.value)
    assert text.startswith(f"Memory budget must be at least {balance.number(bits)} bits, not ")
    assert "the smallest design needs 1 more; the largest memories are layer" in text
    sizes = [int(n.replace(" ", "")) for n in re.findall(r"\(([\d ]+)\)", text)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 3


BAD_GOALS = {
    "fps zero": ({"fps": 0}, r"^Frames per second must be a positive number, not 0$"),
    "fps nan": ({"fps": float("nan")}, r"^Frames per second must be a positive number, not nan$"),
    "fps text": ({"fps": "10"}, r"^Frames per second must be a positive number, not '10'$"),
    "fps true": ({"fps": True}, r"^Frames per second must be a positive number, not True$"),
    "clock": ({"clock_mhz": -1}, r"^Clock in MHz must be a positive number, not -1$"),
    "clock none": ({"clock_mhz": None}, r"^Clock in MHz must be a positive number, not None$"),
    "luts": ({"lut_budget": 0}, r"^LUT budget must be a positive integer, not 0$"),
    "luts float": ({"lut_budget": 10.0}, r"^LUT budget must be a positive integer, not 10\.0$"),
    "memory": ({"memory_budget": -5}, r"^Memory budget in bits must be a positive integer, not -5$"),
}


@pytest.mark.parametrize("case", BAD_GOALS)
def test_bad_goal(case):
    options, pattern = BAD_GOALS[case]
    with pytest.raises(InputError, match=pattern):
        balance.Goal(**options)


def test_bad_drains(case):
    network, levels = case
    for drain, lanes, pattern in (
        ({"layer3": 5}, {}, r"^Drain of 'layer3' must divide the 12 channels of a group, not be 5$"),
        ({"layer1": 2}, {"layer1": 3}, r"^Drain of 'layer1' must divide its 3 lanes and the 16 channels of "),
    ):
        with pytest.raises(InputError, match=pattern):
            chosen(network, levels, lanes=lanes, drain=drain)


@pytest.mark.parametrize("seed", range(8))
def test_random_graphs(seed):
    """Every choice is a valid profile, reaches its goal, and costs what its stages cost."""
    rng = np.random.default_rng(seed)
    network = random_graph(rng, edge=6, channels=8)
    x = random_graph_levels(rng, network, 4)
    levels = {"input": x, **Golden(network).run(x, record=True).levels}
    found, profile = chosen(network, levels)
    lanes = {layer.name: layer.lanes for layer in profile.layers}
    drain = {layer.name: layer.drain for layer in profile.layers}
    assert profile == profile_of(network, lanes, profile.coding, profile.order, drain)
    assert cost_of(found)[1] == memory_bits(profile)
    slow = 0.5e8 / balance.timing(profile, levels).interval
    for goal in (balance.Goal(fps=slow), balance.Goal(lut_budget=cost_of(found)[0])):
        again, other = chosen(network, levels, goal=goal)
        assert cost_of(again)[0] <= cost_of(found)[0]
        assert balance.timing(other, levels).interval <= goal.cycles
