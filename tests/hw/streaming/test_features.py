"""What the LUTs of each kind of stage are said to grow with, counted by hand."""

import pytest
from network_cases import BLOCK_LANES, block

from spikefold_hw.streaming.planning import plan_of


@pytest.fixture(scope="module")
def stages():
    plan = plan_of(block(), BLOCK_LANES, {"one": "naf"}, units={"one": 2})
    return {stage.name: stage for stage in plan.stages}


def test_layer(stages):
    """Layer `two`: three lanes of 8-bit weights on naf digits of levels to 3, and a skip of levels to 9."""
    layer = stages["two"]
    widths, features = layer.widths, layer.features()
    shifts = layer.projections[0].weights.shifts - 1
    assert shifts == 2  # a level of 3 is 4 - 1
    # Three accumulators and, but for the one that leaves, their holding registers; one weight memory each.
    assert features["lanes"] == (2 * 3 - 1) * widths.accumulator
    # Every lane shifts its weight by up to two places and may negate it.
    assert features["shifters"] == 3 * (8 + 2) * (2 + 1)
    # Bias, two steps of the ladder and a leak of one term; a level of four bits is added bit by bit.
    assert features["neurons"] == (1 + 2 + 1) * widths.potential + 4 * widths.sum
    assert features["line_buffers"] == (4 * 5 * 6 * 2 - 1).bit_length()
    assert features["stages"] == 1


def test_layer_with_two_windows(stages):
    """Layer `depth` reads two rings, and chooses between the weights of two memories in both lanes."""
    layer = stages["depth"]
    assert layer.features()["line_buffers"] == 2 * (4 * 5 * 6 * 2 - 1).bit_length()
    assert layer.features()["lanes"] == (2 * 2 - 1) * layer.widths.accumulator + 2 * 4


def test_pool(stages):
    """Levels of 18 in five bits, and eight channels in three."""
    assert stages["pool"].features() == {
        "stages": 1,
        "line_buffers": (8 * 5 * 6 * 2 - 1).bit_length(),
        "neurons": 5 + 3,
    }


def test_sum(stages):
    """Levels of 36 in six bits and eight channels in three, for each of two sources."""
    assert stages["sum"].features() == {"stages": 1, "line_buffers": 0, "neurons": 2 * (6 + 3)}
