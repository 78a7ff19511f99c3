"""Plan: to JSON and back, and other lanes for the same stages."""

import json
import re

import numpy as np
import pytest
from network_cases import BLOCK_LANES, LANES, block, fits_in, narrow
from random_networks import random_graph, random_graph_levels, scalar_run

from spikefold.errors import InputError
from spikefold_hw.streaming.plan import Plan
from spikefold_hw.streaming.planning import check_fit, plan_of


def test_plans_of_random_graphs():
    """JSON and back, fitting themselves, and widths that hold the numbers of a run."""
    for seed in range(25):
        rng = np.random.default_rng([5, seed])
        network = random_graph(rng, neurons=60)
        lanes = {p.name: int(rng.integers(1, 9)) for p in network.populations}
        coding = {"input": str(rng.choice(["binary", "naf", "unary"]))}
        order = [None, "position_major", "step_major"][seed % 3]
        plan = plan_of(network, lanes, coding, order)
        assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
        check_fit(network, plan)
        _, membranes, potentials, _ = scalar_run(network, random_graph_levels(rng, network, 1)[0])
        for layer in plan.layers:
            assert fits_in(membranes[layer.name], layer.widths.membrane)
            assert fits_in(potentials[layer.name], layer.widths.potential)
            assert sum(len(layer.blocks.channels_of(k)) for k in range(layer.blocks.count)) == layer.channels


@pytest.mark.parametrize(
    "options", [{}, {"reset": "scale", "leak": "mixed"}, {"membrane_bits": 12}, {"fire_floor": True}]
)
def test_json_round_trip(options):
    plan = plan_of(narrow(**options), LANES)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("loaded"), "must have the key 'loaded'"),
        (lambda d: d.update(extra=1), "key 'extra' is unknown; "),
        (lambda d: d["stages"][0].pop("widths"), "must have the key 'stages[0].widths'"),
        (lambda d: d["stages"][0].pop("kind"), "must have the key 'stages[0].kind'"),
        (
            lambda d: d["stages"][0].update(kind="conv"),
            "stages[0].kind must be one of 'layer', 'pool', 'sum', not 'conv'",
        ),
        (lambda d: d["stages"][0].update(kind="pool"), "key 'stages[0].lanes' is unknown; "),
        (
            lambda d: d["stages"][0]["projections"][0]["window"].pop("depth"),
            "must have the key 'stages[0].projections[0].window.depth'",
        ),
        (
            lambda d: d["stages"][1]["skips"][0]["buffer"].update(size=3),
            "key 'stages[1].skips[0].buffer.size' is unknown; ",
        ),
        (lambda d: d["stages"][5]["operands"].pop(), "stages[5].operands must be a list of 2, not ["),
        (lambda d: d["input"].pop("map"), "must have the key 'input.map'"),
        (lambda d: d.update(stages=5), "stages must be a list, not 5"),
    ],
)
def test_incomplete_json_is_refused(change, message):
    data = json.loads(json.dumps(plan_of(block(), BLOCK_LANES).to_json()))
    assert Plan.from_json(data) == plan_of(block(), BLOCK_LANES)
    change(data)
    with pytest.raises(InputError, match=rf"^Hardware plan {re.escape(message)}"):
        Plan.from_json(data)


def test_lanes_of_a_plan_can_be_exchanged():
    network = block()
    plan = plan_of(network, BLOCK_LANES)
    lanes, units = (
        {"one": 1, "two": 4, "depth": 2, "readout": 6},
        {"one": 1, "two": 2, "depth": 1, "readout": 3},
    )
    assert plan.with_counts(lanes, units) == plan_of(network, lanes, units=units)
