"""The table of the pipeline, its sentences, the memory of a device, and what stages cost."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from conv_case import chosen, conv_network, convolution, levels_of, plain_profile, spiking
from random_networks import chain_network

from spikefold import balance
from spikefold.balance.cost import lut_features, luts_of, memory_of
from spikefold.balance.goal import slowest
from spikefold.balance.pace import work_of
from spikefold.balance.pipeline import limit_text, membrane_bits, order_reason
from spikefold.ir import Dense, Input, Network, Population
from spikefold_boards.devices import DEVICES
from spikefold_hw.geometry import memory_bits, memory_sizes

MODULE = import_module("spikefold.balance.memory_fit")


@pytest.fixture(scope="module")
def case():
    network = conv_network(steps=2)
    return network, levels_of(network)


def described(network, levels, wanted=None, **options):
    found, profile = chosen(network, levels, **options)
    return profile, balance.pipeline(profile, found, levels, balance.timing(profile, levels), wanted)


def test_rows(case):
    network, levels = case
    profile, pipeline = described(network, levels)
    rows = {row["stage"]: row for row in pipeline["stages"]}
    assert list(rows) == ["input", *network.by_name]
    assert [rows[name]["kind"] for name in ("input", "layer0", "sum0", "pool0")] == [
        "input",
        "layer",
        "sum",
        "pool",
    ]
    for name, row in rows.items():
        assert row["map"] == list(network.maps[name])
        assert (row["lanes"] is None) == (row["drain"] is None) == (row["lane_use"] is None)
    for layer in profile.layers:
        assert (rows[layer.name]["lanes"], rows[layer.name]["drain"]) == (layer.lanes, layer.drain)
        assert 0 < rows[layer.name]["lane_use"] <= 1
    (mark,) = [name for name, row in rows.items() if row["slowest"]]
    assert mark == pipeline["limit"]["stage"]
    assert rows[mark]["cycles"] == max(row["cycles"] for row in rows.values()) == pipeline["limit"]["cycles"]


def test_total_is_all_of_it(case):
    network, levels = case
    profile, pipeline = described(network, levels)
    assert pipeline["total"]["memory_bits"] == memory_bits(profile)
    assert pipeline["total"]["cycles"] == round(balance.timing(profile, levels).interval, 3)
    assert pipeline["total"]["luts"] == sum(row["luts"] for row in pipeline["stages"])


def test_memories_of_a_stage_are_those_with_its_name(case):
    profile = plain_profile(case[0], lanes=4)
    for stage in profile.stages:
        found = memory_of(stage, profile)
        sizes = {
            n: w * rows for n, (w, rows) in memory_sizes(profile).items() if n.startswith(f"{stage.name}_")
        }
        assert sum(found.values()) == sum(sizes.values())
        assert sum("weight" in name for name in found) == len(getattr(stage, "windows", ()))


def test_what_twice_the_lanes_would_do(case):
    network, levels = case
    found, profile = chosen(network, levels, lanes={"layer1": 2})
    work = work_of(profile, levels)["layer1"]
    second = max(o.pace.cycles for name, o in found.items() if name != "layer1")
    text = limit_text(profile, found, levels)
    assert text.startswith(
        f"layer1 sets the pace with {balance.number(work.pace(2).cycles)} cycles a sample: "
    )
    assert "its 2 lanes are busy 100 %" in text
    twice = work.pace(4).cycles
    assert f"twice the lanes would make it {balance.number(twice)}" in text
    assert (f"the slowest with {balance.number(second)}" in text) == (second > twice)


def test_all_channels_at_once(case):
    network, levels = case
    found, profile = chosen(network, levels, lanes={p.name: 100 for p in network.populations})
    assert found[slowest(found)].pace.bound == "lanes"
    assert limit_text(profile, found, levels).endswith("all channels are computed at once already.")


def test_silent_network_is_bound_by_draining():
    network = conv_network()
    levels = {name: np.zeros_like(values) for name, values in levels_of(network).items()}
    found, profile = chosen(network, levels, lanes={"layer1": 4}, drain={"layer1": 1})
    text = limit_text(profile, found, levels)
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
    found, profile = chosen(network, levels)
    assert slowest(found) == "input"
    assert limit_text(profile, found, levels) == (
        f"input sets the pace with {balance.number(found['input'].pace.cycles)} cycles a sample: "
        "its events take that long, one a cycle; more lanes do not help."
    )


def test_stages_that_wait_are_told(case):
    network, levels = case
    found, profile = chosen(network, levels)
    cycles = balance.timing(profile, levels)
    late = replace(cycles, results=cycles.results * 2)
    text = balance.pipeline(profile, found, levels, late, None)["limit"]["text"]
    assert text.endswith(
        f" As stages wait for each other, results come every {balance.number(late.interval)} cycles."
    )


def test_order_of_time():
    static, stepwise = conv_network(steps=4), conv_network(steps=4, static=False)
    for network, order, wanted, begin in (
        (static, "innermost", None, "Static input: all 4 time steps of a position"),
        (static, "step_major", "step_major", "As asked, one whole time step"),
        (stepwise, "step_major", None, "Input step by step: one whole time step"),
        (stepwise, "innermost", "innermost", "As asked, all 4 time steps"),
    ):
        profile = plain_profile(network, order=order)
        text = order_reason(profile, wanted)
        assert text.startswith(begin)
        bits = {o: membrane_bits(replace(profile, order=o)) for o in ("innermost", "step_major")}
        assert bits["innermost"] < bits["step_major"]
        first, second = (balance.number(bits[o]) for o in sorted(bits, key=lambda o: o != order))
        name = "step-major" if order == "innermost" else "innermost"
        assert f": {first} bits; {name} would need {second}" in text
    assert (
        order_reason(plain_profile(conv_network()), None) == "With one time step there is no order to choose."
    )


def test_membranes_are_counted_by_hand():
    profile = plain_profile(conv_network(steps=4))
    by_hand = sum(layer.map.size * layer.widths.membrane for layer in profile.layers)
    assert membrane_bits(replace(profile, order="step_major")) == by_hand
    one = sum(layer.channels * layer.widths.membrane for layer in profile.layers)
    assert membrane_bits(replace(profile, order="innermost")) == one


def test_dense_network_needs_the_same_memory_in_both_orders():
    network = chain_network(np.random.default_rng(0), steps=3)
    assert "both orders need the same memory" in order_reason(plain_profile(network), None)


def test_memory_fit():
    profile = plain_profile(conv_network(bits=8))
    found = balance.memory_fit(profile, "ecp5-85k")
    assert found["fits"]
    assert found["memory_bits"] == memory_bits(profile)
    weights = sum(p.weight.size * p.bits for s in conv_network(bits=8).populations for p in s.projections)
    identities = 16 * 8
    assert found["weight_bits"] == weights - identities


def test_memory_that_does_not_fit(monkeypatch):
    profile = plain_profile(conv_network(bits=8))
    bits, weights = memory_bits(profile), balance.memory_fit(profile, "xc7")["weight_bits"]
    four = sum(min(w.weight_bits, 4) * x.lanes * x.weight_rows(w) for x in profile.layers for w in x.windows)
    one = sum(x.lanes * x.weight_rows(w) for x in profile.layers for w in x.windows)

    def reason(room):
        small = replace(DEVICES["xc7"], block_ram_bits=room)
        monkeypatch.setattr(MODULE, "find_device", lambda name: small)
        return balance.memory_fit(profile, "xc7")["reason"]

    text = reason(bits - 1)
    number = balance.number
    assert text.startswith(
        f"memory of {number(bits)} bits exceeds the {number(bits - 1)} bits of block RAM of xc7"
    )
    assert f"by 1; weights take {number(weights)} of it; weights of at most 7 bits would fit" in text
    assert "ecp5-85k" in text
    assert "weights of at most 4 bits would fit" in reason(bits - weights + four)
    assert "weights of at most 1 bit would fit" in reason(bits - weights + one)
    assert "weights of" not in reason(bits - weights + one - 1)
    monkeypatch.setattr(MODULE, "DEVICES", {})
    assert reason(1).endswith("neither one-bit weights nor any known device would do: use a smaller network")


def test_luts_grow_with_lanes_drains_and_bits(case):
    profile = plain_profile(case[0])
    assert profile.layers
    for stage in profile.stages:
        assert min(lut_features(stage, profile).values()) >= 0
    for layer in profile.layers:
        lanes = [luts_of(replace(layer, lanes=n), profile) for n in (1, 2, 4)]
        assert lanes[0] < lanes[1] < lanes[2]
        wide = replace(layer, lanes=4)
        assert luts_of(replace(wide, drain=2), profile) > luts_of(wide, profile)
    assert luts_of(None, profile) > 0
