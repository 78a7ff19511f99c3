"""The table of the pipeline, what limits it, and the memory of membranes in both orders of time."""

from dataclasses import replace

import numpy as np
import pytest
from conv_case import conv_network, levels_of
from plans import chosen, plain_plan
from random_networks import chain_network

from spikefold.numbers import number
from spikefold_hw.order import ORDERS
from spikefold_hw.streaming.architecture import ARCHITECTURE
from spikefold_hw.streaming.choose.exact import timing
from spikefold_hw.streaming.explain import explain, in_order, membrane_bits


@pytest.fixture(scope="module")
def case():
    network = conv_network(steps=2)
    return network, levels_of(network)


def described(network, levels, wanted=None, **options):
    _, plan = chosen(network, levels, **options)
    return plan, explain(plan, levels, timing(plan, levels), wanted)


def test_rows(case):
    network, levels = case
    plan, pipeline = described(network, levels)
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
        assert (row["lanes"] is None) == (row["units"] is None) == (row["lane_use"] is None)
    for layer in plan.layers:
        assert (rows[layer.name]["lanes"], rows[layer.name]["units"]) == (layer.lanes, layer.units)
        assert 0 < rows[layer.name]["lane_use"] <= 1
    (mark,) = [name for name, row in rows.items() if row["slowest"]]
    assert mark == pipeline["limit"]["stage"]
    assert rows[mark]["cycles"] == max(row["cycles"] for row in rows.values()) == pipeline["limit"]["cycles"]


def test_total_is_all_of_it(case):
    network, levels = case
    plan, pipeline = described(network, levels)
    assert pipeline["total"]["memory_bits"] == ARCHITECTURE.cost(plan).memory_bits
    assert pipeline["total"]["cycles"] == round(timing(plan, levels).interval, 3)
    assert pipeline["total"]["luts"] == sum(row["luts"] for row in pipeline["stages"])


def test_stages_that_wait_are_told(case):
    network, levels = case
    _, plan = chosen(network, levels)
    cycles = timing(plan, levels)
    late = replace(cycles, results=cycles.results * 2)
    text = explain(plan, levels, late, None)["limit"]["text"]
    assert text.endswith(
        f" As stages wait for each other, results come every {number(late.interval)} cycles."
    )


def reason_of(network, order=None, wanted=None):
    plan = plain_plan(network, order=order)
    levels = levels_of(network, samples=1)
    return explain(plan, levels, timing(plan, levels), wanted)["order_reason"]


@pytest.mark.parametrize(
    ("static", "order", "wanted", "begin"),
    [
        (True, "position_major", None, "Static input: all 4 time steps of a position"),
        (True, "step_major", "step_major", "As asked, one whole time step"),
        (False, "step_major", None, "Input step by step: one whole time step"),
        (False, "position_major", "position_major", "As asked, all 4 time steps"),
    ],
)
def test_order_of_time(static, order, wanted, begin):
    network = conv_network(steps=4, static=static)
    text = reason_of(network, order, wanted)
    assert text.startswith(begin)
    plan = plain_plan(network, order=order)
    bits = {other: membrane_bits(in_order(plan, other)) for other in ORDERS}
    assert bits["position_major"] < bits["step_major"]
    first, second = (number(bits[other]) for other in sorted(bits, key=lambda other: other != order))
    name = "step-major" if order == "position_major" else "position-major"
    assert f": {first} bits; {name} would need {second}" in text


def test_one_step_has_no_order():
    assert reason_of(conv_network()) == "With one time step there is no order to choose."


def test_dense_network_needs_the_same_memory_in_both_orders():
    network = chain_network(np.random.default_rng(0), steps=3)
    assert "both orders need the same memory" in reason_of(network)


def test_membranes_are_counted_by_hand():
    plan = plain_plan(conv_network(steps=4))
    by_hand = sum(layer.map.size * layer.widths.membrane for layer in plan.layers)
    assert membrane_bits(in_order(plan, "step_major")) == by_hand
    one = sum(layer.channels * layer.widths.membrane for layer in plan.layers)
    assert membrane_bits(in_order(plan, "position_major")) == one
