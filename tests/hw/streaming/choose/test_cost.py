"""What stages cost: memory by name, and LUTs that grow with lanes, units and bits."""

import pytest
from conv_case import conv_network
from plans import plain_plan

from spikefold_hw.streaming.architecture import ARCHITECTURE
from spikefold_hw.streaming.choose.cost import LUT_COEFFICIENTS, luts_of, memory_of


@pytest.fixture(scope="module")
def network():
    return conv_network(steps=2)


def test_memories_of_a_stage_are_those_with_its_name(network):
    plan = plain_plan(network, lanes=4)
    memories = ARCHITECTURE.cost(plan).memories
    for stage in plan.stages:
        found = memory_of(stage)
        own = [width * rows for name, (width, rows) in memories.items() if name.startswith(f"{stage.name}_")]
        assert sum(found.values()) == sum(own)
        assert sum("weight" in name for name in found) == len(getattr(stage, "projections", ()))


def test_luts_grow_with_lanes_units_and_bits(network):
    plan = plain_plan(network)
    for stage in plan.stages:
        features = stage.features()
        assert set(features) <= set(LUT_COEFFICIENTS)
        assert min(features.values()) >= 0
    for layer in plan.layers:
        lanes = [luts_of(layer.with_counts(n, 1)) for n in (1, 2, 4)]
        assert lanes[0] < lanes[1] < lanes[2]
        assert luts_of(layer.with_counts(4, 2)) > luts_of(layer.with_counts(4, 1))
    assert luts_of(None) > 0


def test_luts_grow_with_bits():
    few, many = (plain_plan(conv_network(bits=bits), lanes=4) for bits in (2, 8))
    for narrow, wide in zip(few.layers[:-1], many.layers[:-1], strict=True):
        assert luts_of(narrow) < luts_of(wide), narrow.name
