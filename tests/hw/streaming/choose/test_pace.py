"""The pace of every stage against counts made one by one, and against the exact cycle model."""

import numpy as np
import pytest
from conv_case import conv_network, levels_of, plain_profile
from random_networks import random_graph, random_graph_levels
from spikefold_hw.streaming.choose.pace import input_pace, work_of

from spikefold import balance
from spikefold.golden import Golden
from spikefold.ir.coding import digits_of
from spikefold_hw.streaming.choose.goal import slowest
from spikefold_hw.streaming.planning import plan_of

LANES = (1, 2, 5, 12, 24)


@pytest.fixture(scope="module")
def case():
    network = conv_network()
    return network, levels_of(network)


def under(levels, scan, group, y, x):
    """Levels of a group under the window at (y, x), tap by tap; none outside of the map."""
    channels = slice(group * scan.channels, (group + 1) * scan.channels)
    taps = []
    for row in range(scan.kernel[0]):
        for column in range(scan.kernel[1]):
            r, c = y * scan.stride[0] + row - scan.padding[0], x * scan.stride[1] + column - scan.padding[1]
            inside = 0 <= r < scan.map.height and 0 <= c < scan.map.width
            taps.append(levels[channels, r, c].tolist() if inside else [])
    return taps


def counted(layer, lanes, levels):
    """Digits and flushes of the lanes of a layer of one time step, and cycles of its slowest gathering."""
    busy = gathered = 0
    blocks = -(-layer.group_channels // lanes)
    samples = len(next(iter(levels.values())))
    for s in range(samples):
        for y in range(layer.map.height):
            for x in range(layer.map.width):
                for group in range(layer.groups):
                    for window in layer.windows:
                        scan = window.scan
                        own = group // (layer.groups // scan.groups)
                        source = levels[scan.source][s, 0].reshape(tuple(scan.map))
                        taps = under(source, scan, own, y, x)
                        digits = sum(len(digits_of(n, window.coding)) for tap in taps for n in tap)
                        busy += blocks * (digits + 1)
                slowest = 0
                for window in layer.windows:
                    scan = window.scan
                    if scan.depth:
                        source = levels[scan.source][s, 0].reshape(tuple(scan.map))
                        found = [under(source, scan, g, y, x) for g in range(scan.groups)]
                        cycles = [max(1, sum(n > 0 for n in tap)) for taps in found for tap in taps]
                        slowest = max(slowest, sum(cycles) + scan.groups)
                gathered += slowest
    return busy / samples, gathered / samples


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("name", ["layer0", "layer2", "layer3"])
def test_lanes_and_gather_are_counted(case, name, lanes):
    network, levels = case
    profile = plain_profile(network, coding={"input": "naf", "sum0": "naf"})
    layer = next(layer for layer in profile.layers if layer.name == name)
    lanes = min(lanes, layer.group_channels)
    pace = work_of(profile, levels)[name].pace(lanes)
    busy, gathered = counted(layer, lanes, levels)
    assert pace.parts["lanes"] == pytest.approx(busy, rel=1e-12)
    assert pace.parts["gather"] == pytest.approx(gathered, rel=1e-12)


@pytest.mark.parametrize("drain", [1, 2, 8])
def test_drain_sends_an_event_a_cycle(case, drain):
    network, levels = case
    pace = work_of(plain_profile(network), levels)["layer1"].pace(16, drain)
    words = np.moveaxis(levels["layer1"][:, 0], 1, -1).reshape(len(levels["layer1"]), -1, 16 // drain, drain)
    sent = np.maximum((words > 0).sum(axis=3), 1).sum() / len(words)
    assert pace.parts["drain"] >= sent
    assert pace.cycles >= max(pace.parts.values())
    assert pace.bound == "lanes"


def test_a_silent_layer_still_drains():
    """No event at all: every block takes its flush, and the time until its sums have left."""
    network = conv_network()
    levels = {name: np.zeros_like(values) for name, values in levels_of(network).items()}
    work = work_of(plain_profile(network), levels)["layer1"]
    assert work.pace(16).parts["lanes"] == 64
    assert work.pace(16).cycles == 64 * (16 + 5)
    assert work.pace(16).bound == "drain"
    assert work.pace(4).cycles == 64 * 4 * (4 + 5)
    assert work.pace(4, 4).cycles == 64 * 4 * (1 + 5)
    assert work.pace(16).parts["gather"] == 64 * 10


def test_pool_sum_and_input(case):
    network, levels = case
    profile = plain_profile(network)
    work = work_of(profile, levels)
    assert work["sum0"].pace().parts == {"scan": 64 * 16}
    pool = work["pool0"].pace().parts
    events = (levels["layer3"][:, 0] > 0).sum(axis=1)
    assert pool["scan"] == 4 * 24
    assert pool["gather"] == pytest.approx((np.maximum(events, 1).sum() + 4 * len(events)) / len(events))
    beats = np.maximum((levels["input"][:, 0] > 0).sum(axis=1), 1).sum() / len(events)
    assert input_pace(profile, levels).parts == {"input": beats}


def test_one_current_serves_all_steps_of_a_static_input():
    network = conv_network(steps=4)
    levels = levels_of(network)
    profile = plain_profile(network, order="position_major")
    layer = profile.layers[0]
    assert layer.repeats == 4
    pace = work_of(profile, levels)["layer0"].pace(16)
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
    profile = plan_of(network, {p.name: int(rng.integers(1, 9)) for p in network.populations})
    chosen = balance.as_built(profile, levels)
    pace, interval = chosen[slowest(chosen)].pace.cycles, balance.timing(profile, levels).interval
    assert 0.995 * pace - 2 <= interval <= 1.8 * pace + 40


def test_more_lanes_are_never_slower(case):
    network, levels = case
    work = work_of(plain_profile(network), levels)
    for population in network.populations:
        cycles = [work[population.name].pace(lanes).parts["lanes"] for lanes in LANES]
        assert cycles == sorted(cycles, reverse=True), population.name


def test_lanes_beyond_the_group_change_nothing(case):
    network, levels = case
    profile = plain_profile(network)
    assert next(layer for layer in profile.layers if layer.name == "layer3").group_channels == 12
    work = work_of(profile, levels)["layer3"]
    assert work.pace(12) == work.pace(1000)
