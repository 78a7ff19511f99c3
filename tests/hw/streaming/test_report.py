"""Sentences about a pipeline: what sets its pace, and what would help."""

import numpy as np
import pytest
from conv_case import conv_network, convolution, levels_of, spiking
from plans import chosen

from spikefold.ir import Dense, Input, Network, Population
from spikefold.numbers import number
from spikefold_hw.streaming.choose.goal import slowest
from spikefold_hw.streaming.choose.options import remedy, stage_work
from spikefold_hw.streaming.report import limit_text


@pytest.fixture(scope="module")
def case():
    network = conv_network(steps=2)
    return network, levels_of(network)


def text_of(plan, found, levels):
    """What limits a design whose stages do not wait for each other."""
    name = slowest(found)
    stage, cycles = found[name].stage, found[name].pace.cycles
    return limit_text(found, name, None if stage is None else remedy(plan, stage, levels), cycles)


def test_what_twice_the_lanes_would_do(case):
    network, levels = case
    found, plan = chosen(network, levels, lanes={"layer1": 2})
    work = stage_work(plan, found["layer1"].stage, levels)
    second = max(o.pace.cycles for name, o in found.items() if name != "layer1")
    text = text_of(plan, found, levels)
    assert text.startswith(f"layer1 sets the pace with {number(work.pace(2).cycles)} cycles a sample: ")
    assert "adding in its 2 lanes takes that long" in text
    twice = work.pace(4).cycles
    assert f"twice the lanes would make it {number(twice)}" in text
    assert (f"the slowest with {number(second)}" in text) == (second > twice)


def test_all_channels_at_once(case):
    """Digits cost nothing but lanes here: a dense layer over few positions, all of its channels at once."""
    rng = np.random.default_rng(0)
    stem = spiking(rng, "layer0", [Dense("input", rng.integers(-8, 8, (1, 8, 60)), 4)])
    readout = Population(
        "readout", (Dense("layer0", rng.integers(-8, 8, (1, 3, 8)), 4),), np.zeros((1, 3), int)
    )
    network = Network(Input((60,), 255), 1, (stem, readout))
    levels = levels_of(network, density=1.0)
    found, plan = chosen(network, levels, lanes={"layer0": 8, "readout": 3})
    name = slowest(found)
    assert (name, found[name].pace.bound) == ("layer0", "lanes")
    assert text_of(plan, found, levels).endswith("all channels are computed at once already.")


def test_silent_network_is_bound_by_draining():
    network = conv_network()
    levels = {name: np.zeros_like(values) for name, values in levels_of(network).items()}
    found, plan = chosen(network, levels, lanes={"layer1": 4}, units={"layer1": 1})
    text = text_of(plan, found, levels)
    assert "draining its sums takes that long, 1 a cycle and block after block; " in text
    assert "would make it" in text


def test_input_that_sets_the_pace():
    """A convolution that skips three positions of four has less to do than the input stream."""
    rng = np.random.default_rng(0)
    stem = spiking(rng, "layer0", [convolution(rng, "input", 2, 16, kernel=1, stride=2)])
    dense = Dense("layer0", rng.integers(-8, 8, (1, 3, 32)), 4)
    readout = Population("readout", (dense,), np.zeros((1, 3), int))
    network = Network(Input((16, 8, 8), 1), 1, (stem, readout))
    levels = levels_of(network, density=1.0)
    found, plan = chosen(network, levels)
    assert slowest(found) == "input"
    assert text_of(plan, found, levels) == (
        f"input sets the pace with {number(found['input'].pace.cycles)} cycles a sample: "
        "its events take that long, one a cycle; more lanes do not help."
    )
