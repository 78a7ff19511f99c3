"""The pace of every stage against counts made one by one, and against the exact cycle model."""

import numpy as np
import pytest
from conv_case import conv_network, levels_of
from plans import layer_named, plain_plan
from random_networks import random_graph, random_graph_levels

from spikefold.golden import Golden
from spikefold.ir.coding import digits_of
from spikefold_hw.streaming.choose.exact import timing
from spikefold_hw.streaming.choose.goal import slowest
from spikefold_hw.streaming.choose.options import input_pace, stage_work
from spikefold_hw.streaming.explain import as_built
from spikefold_hw.streaming.planning import plan_of

LANES = (1, 2, 5, 12, 24)


@pytest.fixture(scope="module")
def case():
    network = conv_network()
    return network, levels_of(network)


def work_of(plan, levels, name):
    (stage,) = (stage for stage in plan.stages if stage.name == name)
    return stage_work(plan, stage, levels)


def under(levels, window, group, y, x):
    """Levels of a group under the window at (y, x), tap by tap; none outside of the map."""
    channels = slice(group * window.channels, (group + 1) * window.channels)
    taps = []
    for row in range(window.kernel[0]):
        for column in range(window.kernel[1]):
            r, c = (
                y * window.stride[0] + row - window.padding[0],
                x * window.stride[1] + column - window.padding[1],
            )
            inside = 0 <= r < window.map.height and 0 <= c < window.map.width
            taps.append(levels[channels, r, c].tolist() if inside else [])
    return taps


def counted(layer, lanes, levels):
    """Digits and flushes of the lanes of a layer of one time step, and cycles of its slowest gathering."""
    samples = len(next(iter(levels.values())))
    busy = gathered = 0
    for s in range(samples):
        for y in range(layer.map.height):
            for x in range(layer.map.width):
                busy += digits_at(layer, lanes, levels, s, y, x)
                gathered += gathered_at(layer, levels, s, y, x)
    return busy / samples, gathered / samples


def level_map(levels, window, sample):
    return levels[window.source][sample, 0].reshape(tuple(window.map))


def digits_at(layer, lanes, levels, sample, y, x):
    """Digits and flushes of one position."""
    busy, groups = 0, layer.blocks.groups
    blocks = -(-layer.blocks.group_channels // lanes)
    for group in range(groups):
        for projection in layer.projections:
            window = projection.window
            own = group // (groups // window.groups)
            taps = under(level_map(levels, window, sample), window, own, y, x)
            busy += blocks * (sum(len(digits_of(n, projection.coding)) for tap in taps for n in tap) + 1)
    return busy


def gathered_at(layer, levels, sample, y, x):
    """Cycles of gathering the windows of one position, those of the slowest source."""
    slowest_source = 0
    for window in layer.windows:
        if window.depth:
            source = level_map(levels, window, sample)
            found = [under(source, window, g, y, x) for g in range(window.groups)]
            cycles = [max(1, sum(n > 0 for n in tap)) for taps in found for tap in taps]
            slowest_source = max(slowest_source, sum(cycles) + window.groups)
    return slowest_source


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("name", ["layer0", "layer2", "layer3"])
def test_lanes_and_gather_are_counted(case, name, lanes):
    network, levels = case
    plan = plain_plan(network, coding={"input": "naf", "sum0": "naf"})
    layer = layer_named(plan, name)
    lanes = min(lanes, layer.blocks.group_channels)
    pace = work_of(plan, levels, name).pace(lanes)
    busy, gathered = counted(layer, lanes, levels)
    assert pace.parts["lanes"] == pytest.approx(busy, rel=1e-12)
    assert pace.parts["gather"] == pytest.approx(gathered, rel=1e-12)


@pytest.mark.parametrize("units", [1, 2, 8])
def test_drain_sends_an_event_a_cycle(case, units):
    network, levels = case
    pace = work_of(plain_plan(network), levels, "layer1").pace(16, units)
    words = np.moveaxis(levels["layer1"][:, 0], 1, -1).reshape(len(levels["layer1"]), -1, 16 // units, units)
    sent = np.maximum((words > 0).sum(axis=3), 1).sum() / len(words)
    assert pace.parts["drain"] >= sent
    assert pace.cycles >= max(pace.parts.values())


@pytest.mark.parametrize("units", [1, 8])
def test_the_drain_binds_where_lanes_have_little_to_do(case, units):
    """All neurons fire on next to no digits: then even 8 units send one event a cycle."""
    network, levels = case
    few = np.zeros_like(levels["layer0"])
    few[:, :, 0, 0, 0] = 1
    pace = work_of(plain_plan(network), levels | {"layer0": few, "layer1": np.ones_like(few)}, "layer1")
    found = pace.pace(16, units)
    assert found.bound == "drain"
    assert found.parts["drain"] >= 64 * 16 > found.parts["lanes"]


def test_a_silent_layer_still_drains():
    """No event at all: every block takes its flush, and the time until its sums have left."""
    network = conv_network()
    levels = {name: np.zeros_like(values) for name, values in levels_of(network).items()}
    work = work_of(plain_plan(network), levels, "layer1")
    assert work.pace(16).parts["lanes"] == 64
    assert work.pace(16).cycles == 64 * (16 + 6)
    assert work.pace(4).cycles == 64 * 4 * (4 + 6)
    assert work.pace(4, 4).cycles == 64 * 4 * (1 + 6)
    assert work.pace(16).parts["gather"] == 64 * 10


def test_pool_sum_and_input(case):
    network, levels = case
    plan = plain_plan(network)
    assert work_of(plan, levels, "sum0").pace().parts == {"scan": 64 * 16}
    pool = work_of(plan, levels, "pool0").pace().parts
    events = (levels["layer3"][:, 0] > 0).sum(axis=1)
    assert pool["scan"] == 4 * 24
    assert pool["gather"] == pytest.approx((np.maximum(events, 1).sum() + 4 * len(events)) / len(events))
    beats = np.maximum((levels["input"][:, 0] > 0).sum(axis=1), 1).sum() / len(events)
    assert input_pace(plan, levels).parts == {"input": beats}


def test_one_current_serves_all_steps_of_a_static_input():
    network = conv_network(steps=4)
    levels = levels_of(network)
    plan = plain_plan(network, order="position_major")
    layer = plan.layers[0]
    assert layer.repeats == 4
    pace = work_of(plan, levels, "layer0").pace(16)
    assert pace.parts["lanes"] == pytest.approx(counted(layer, 16, levels)[0])
    assert pace.parts["drain"] >= 4 * 64 * 16


SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_design_is_faster_and_few_are_much_slower(seed):
    """The pace is what the slowest stage needs; the exact interval adds waiting, and ends of the run."""
    rng = np.random.default_rng(seed)
    network = random_graph(rng, edge=9, channels=8, neurons=500)
    x = np.repeat(random_graph_levels(rng, network, 3)[2:], 8, axis=0)  # one sample again and again
    levels = {"input": x, **Golden(network).run(x, record=True).levels}
    plan = plan_of(network, {p.name: int(rng.integers(1, 9)) for p in network.populations})
    chosen = as_built(plan, levels)
    pace, interval = chosen[slowest(chosen)].pace.cycles, timing(plan, levels).interval
    assert 0.995 * pace - 2 <= interval <= 1.8 * pace + 40


def test_more_lanes_are_never_slower(case):
    network, levels = case
    plan = plain_plan(network)
    for population in network.populations:
        work = work_of(plan, levels, population.name)
        cycles = [work.pace(lanes).parts["lanes"] for lanes in LANES]
        assert cycles == sorted(cycles, reverse=True), population.name


def test_lanes_beyond_the_group_change_nothing(case):
    network, levels = case
    plan = plain_plan(network)
    assert layer_named(plan, "layer3").blocks.group_channels == 12
    work = work_of(plan, levels, "layer3")
    assert work.pace(12) == work.pace(1000)
