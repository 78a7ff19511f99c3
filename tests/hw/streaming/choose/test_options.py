"""The ways a stage can be built: lanes by blocks, units that fit and help."""

from itertools import pairwise

import numpy as np
import pytest
from conv_case import conv_network, levels_of
from plans import chosen, plain_plan

from spikefold.errors import InputError
from spikefold_hw.streaming.choose.options import lane_counts, options_of


def test_lane_counts_are_the_fewest_for_their_blocks(case):
    plan = plain_plan(case[0])
    counts = {layer.name: lane_counts(layer.blocks) for layer in plan.layers}
    assert counts["layer0"] == [1, 2, 3, 4, 6, 8, 16]
    assert counts["layer3"] == [1, 2, 3, 4, 6, 8, 12]
    assert counts["readout"] == [1, 2, 3, 5]


def test_units_fit_lanes_and_channels(options):
    blocks = [option.blocks for ways in options.values() for option in ways if option.blocks is not None]
    assert len(blocks) > 30
    for each in blocks:
        assert each.lanes % each.units == each.group_channels % each.units == 0


def test_units_grows_only_where_it_helps(options):
    """Windows with many digits hide the draining, so the widest layers keep Q = 1."""
    wide = [option.blocks.units for option in options["layer1"] if option.lanes == 4]
    assert wide == [1]
    silent = {name: np.zeros_like(values) for name, values in levels_of(conv_network()).items()}
    network = conv_network()
    found = options_of(plain_plan(network), silent, {}, {})
    assert [option.blocks.units for option in found["layer1"] if option.lanes == 4] == [1, 2, 4]
    for ways in (*options.values(), *found.values()):
        for slow, fast in pairwise(ways):
            if slow.lanes == fast.lanes:
                assert 1.02 * fast.pace.cycles < slow.pace.cycles


def test_bad_units(case):
    network, levels = case
    for units, lanes, pattern in (
        ({"layer3": 5}, {}, r"^Units of 'layer3' must divide the 12 channels of a group, not be 5$"),
        ({"layer1": 2}, {"layer1": 3}, r"^Units of 'layer1' must divide its 3 lanes and the 16 channels of "),
    ):
        with pytest.raises(InputError, match=pattern):
            chosen(network, levels, lanes=lanes, units=units)
