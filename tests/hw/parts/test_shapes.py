"""Shapes by hand, and blocks as a partition of the channels."""

from itertools import product

import numpy as np
import pytest

from spikefold.ir.neuron import Neuron, ladder_weights
from spikefold_hw.order import ORDERS, Time
from spikefold_hw.parts.parameters import neuron_shape
from spikefold_hw.parts.shapes import Blocks, DrainShape, LanesShape, WeightsShape, Widths


@pytest.mark.parametrize("groups", [1, 2, 5])
@pytest.mark.parametrize("group_channels", [1, 6, 7, 16])
@pytest.mark.parametrize("lanes", [1, 2, 5, 16])
def test_blocks_part_the_channels(lanes, group_channels, groups):
    blocks = Blocks(groups * group_channels, groups, min(lanes, group_channels), 1)
    parts = [blocks.channels_of(block) for block in range(blocks.count)]
    assert [channel for part in parts for channel in part] == list(range(blocks.channels))
    assert all(1 <= len(part) <= blocks.lanes for part in parts)
    for part in parts:
        assert len({channel // group_channels for channel in part}) == 1
    # No block could be spared.
    assert blocks.count == groups * -(-group_channels // blocks.lanes)


def test_rows_of_weights():
    blocks = Blocks(10, 2, 2, 1)
    weights = (WeightsShape(4, 1, 9, 3, "binary"), WeightsShape(1, 3, 2, 6, "naf"))
    lanes = LanesShape("layer", blocks, weights, 12)
    assert [lanes.rows(port) for port in range(2)] == [6 * 9, 3 * 6 * 2]
    # Six is 8 - 2.
    assert [w.shifts for w in weights] == [2, 4]


@pytest.mark.parametrize("order", ORDERS)
def test_state_is_kept_until_its_neuron_comes_again(order):
    """Rows of state are the words from a word to the same one in the next time step."""
    positions, time, blocks = 4, Time(3, order), Blocks(6, 1, 6, 2)
    shape = DrainShape("layer", blocks, positions, time, None, Widths(*[1] * 9))
    steps, places = (cells.tolist() for cells in time.places(positions))
    words = list(product(zip(steps, places, strict=True), range(blocks.words)))
    again = words.index(((1, 0), 0)) - words.index(((0, 0), 0))
    assert shape.state_rows == again


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 5, 15, 16, 100, 255])
def test_largest_multiple_of_the_ladder(levels):
    shape = neuron_shape(Neuron(levels, np.ones((1, 1), int)))
    assert shape.top == ladder_weights(levels)[0]
    assert shape.stores_top == (bin(shape.top).count("1") != 1)
    assert shape.merged
