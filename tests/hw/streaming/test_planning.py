"""From a network to its plan: what every stage gets, how deep its buffers are, and what is refused."""

import numpy as np
import pytest
from network_cases import BLOCK_LANES, LANES, block, changed, narrow, skipped

from spikefold.errors import InputError, ModelError
from spikefold.ir import Conv, Dense, Input, Map, Network, Neuron, Population
from spikefold_hw.order import Time
from spikefold_hw.streaming.depths import occupancy
from spikefold_hw.streaming.planning import plan_of
from spikefold_hw.streams import EventStream


def test_shape_of_a_plan():
    network = narrow(steps=3, sets=3)
    plan = plan_of(network, {"layer0": 4, "readout": 100}, {"input": "naf"})
    hidden, readout = plan.layers
    time = Time(3, "position_major")
    assert plan.time == time
    assert plan.input == EventStream(Map(5), 16, time)
    assert (hidden.channels, hidden.lanes, hidden.blocks.count, hidden.map) == (6, 4, 2, Map(6))
    assert (readout.channels, readout.lanes, readout.blocks.count, readout.map) == (3, 3, 1, Map(3))
    assert (hidden.units, hidden.blocks.words, hidden.blocks.groups) == (1, 6, 1)
    assert [layer.time for layer in plan.layers] == [time, time]
    assert readout.neuron is None
    first, later = hidden.projections[0], readout.projections[0]
    assert (first.source, first.window.inputs, first.window.levels, first.coding) == ("input", 5, 16, "naf")
    assert (first.weight_bits, first.weight_sets, hidden.lanes_shape.rows(0)) == (4, 3, 3 * 2 * 5)
    assert (later.source, later.window.levels, later.coding) == ("layer0", 4, "binary")
    assert [layer.repeats for layer in plan.layers] == [1, 1]
    assert plan.sources == {"input": (Map(5), 16), "layer0": (Map(6), 4)}
    assert plan.coding == {"input": "naf", "layer0": "binary"}
    blocks = hidden.blocks
    assert (list(blocks.channels_of(0)), list(blocks.channels_of(1))) == ([0, 1, 2, 3], [4, 5])


@pytest.mark.parametrize(
    ("options", "order", "presented", "repeats"),
    [
        ({"steps": 3}, None, 1, 3),
        ({"steps": 3}, "step_major", 3, 1),
        ({"steps": 3, "sets": 3}, None, 3, 1),
        ({"steps": 3, "static": False}, None, 3, 1),
        ({"steps": 3, "static": False}, "position_major", 3, 1),
        ({"steps": 1}, None, 1, 1),
    ],
)
def test_a_static_input_is_presented_once_where_its_current_is_the_same(options, order, presented, repeats):
    plan = plan_of(narrow(**options), LANES, order=order)
    static = options.get("static", True)
    assert (
        plan.time.order == plan.input.time.order == (order or ("position_major" if static else "step_major"))
    )
    assert plan.input.time.steps == presented
    assert [layer.repeats for layer in plan.layers] == [repeats, 1]


def test_plan_of_a_graph():
    plan = plan_of(block(), BLOCK_LANES, {"two": "naf"}, units={"one": 2, "readout": 2})
    one, two, depth, pool, most, total, readout = plan.stages
    assert plan.input == EventStream(Map(4, 5, 6), 9, Time(2, "position_major"))
    assert [stage.name for stage in plan.stages] == [
        "one",
        "two",
        "depth",
        "pool",
        "most",
        "sum",
        "readout",
    ]
    assert plan.layers == (one, two, depth, readout)
    # Lanes are cut to a group: 2 of 4 channels, and 2 of 8 where the finer of two groupings counts.
    assert [(x.lanes, x.blocks.groups, x.blocks.count, x.blocks.words) for x in plan.layers] == [
        (2, 2, 2, 2),
        (3, 1, 2, 4),
        (2, 4, 4, 8),
        (4, 1, 2, 3),
    ]
    fine, coarse = depth.projections
    assert [(w.groups, w.channels, w.inputs) for w in depth.windows] == [(4, 1, 9), (2, 2, 18)]
    assert (depth.replays(fine), depth.replays(coarse)) == (1, 2)
    assert (depth.lanes_shape.rows(0), depth.lanes_shape.rows(1)) == (36, 72)
    assert [list(depth.blocks.channels_of(k)) for k in range(4)] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    (skip,) = two.skips
    assert (skip.source, skip.weight_bits, skip.buffer.levels) == ("input", 8, 9)
    assert two.projections[0].weight_bits == 8
    assert (fine.coding, coarse.coding) == ("naf", "binary")
    assert (pool.pooling, pool.map, pool.levels) == ("sum", Map(8, 3, 2), 18)
    assert (most.pooling, most.map, most.levels) == ("max", Map(8, 2, 1), 18)
    assert (total.map, total.levels, total.sources) == (Map(8, 2, 1), 36, ("most", "most"))
    assert (readout.windows[0].inputs, readout.windows[0].levels) == (16, 36)
    # The input is read by an identity as well, so it is presented at each of the two steps.
    assert [window.steps for stage in plan.stages for window in stage.windows] == [2] * 7
    assert readout.levels == 0
    assert plan.sources["sum"] == (Map(8, 2, 1), 36)


def test_depths_hold_what_waits():
    """Windows: occupancy and the columns of a stride; skips: one more, each step of a position by itself."""
    network = block()
    kept = occupancy(network)
    for order, steps in (("position_major", 2), ("step_major", 1)):
        plan = plan_of(network, BLOCK_LANES, order=order)
        for stage in plan.stages:
            windows, buffers = stage.windows, stage.buffers
            ports = [kept[stage.name, port] for port in range(len(windows) + len(buffers))]
            for window, most in zip(windows, ports, strict=False):
                whole = window.geometry.whole and steps == 1 and stage.name == "readout"
                assert window.depth == (0 if whole else most + window.stride[1])
            for buffer, most in zip(buffers, ports[len(windows) :], strict=True):
                assert buffer.depth == (most + 1) * steps


def test_what_the_hardware_cannot_compute_is_refused():
    network = block()
    alone = changed(network, "two", projections=(skipped("one", 4),))
    message = (
        r"^Population 'two' must have a dense projection or a convolution, not identities alone; "
        r"make one of them a depthwise 1x1 convolution$"
    )
    with pytest.raises(ModelError, match=message):
        plan_of(alone, BLOCK_LANES)
    weight = np.ones((1, 6, 2, 3, 3), int)
    stages = (
        Population(
            "hidden",
            (Conv("input", weight, 2, groups=3), Conv("input", np.ones((1, 6, 3, 3, 3), int), 2, groups=2)),
            np.zeros((1, 6), int),
            0,
            Neuron(1, np.ones((1, 6), int)),
        ),
        Population("readout", (Dense("hidden", np.ones((1, 1, 6), int), 2),), np.array([[0]])),
    )
    odd = Network(Input((6, 3, 3), 1), 1, stages)
    with pytest.raises(
        ModelError,
        match=r"^Groups of the projections into 'hidden' must divide the largest \(3\), not be 2$",
    ):
        plan_of(odd, {"hidden": 1, "readout": 1})


@pytest.mark.parametrize(
    ("lanes", "coding", "message"),
    [
        ({"layer0": 4}, {}, r"^Lanes of 'readout' must be given$"),
        (LANES | {"layer9": 4}, {}, r"^Lanes must name one of layer0, readout, not 'layer9'$"),
        (LANES | {"layer0": 0}, {}, r"^Lane count of 'layer0' must be 1\.\.1024, not 0$"),
        (LANES | {"layer0": -1}, {}, r"^Lane count of 'layer0' must be 1\.\.1024, not -1$"),
        (LANES | {"layer0": True}, {}, r"^Lane count of 'layer0' must be 1\.\.1024, not True$"),
        (LANES, {"input": "gray"}, r"^Coding of 'input' must be binary, naf or unary, not 'gray'$"),
        (LANES, {"readout": "naf"}, r"^Coding must name one of input, layer0, not 'readout'$"),
    ],
)
def test_wrong_lanes_and_codings_are_refused(lanes, coding, message):
    with pytest.raises(InputError, match=message):
        plan_of(narrow(), lanes, coding)


def test_wrong_orders_are_refused():
    with pytest.raises(
        InputError, match=r"^Order of time must be one of position_major, step_major, not 'channel_major'$"
    ):
        plan_of(narrow(), LANES, order="channel_major")


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ({"one": 0}, r"^Units of 'one' must be a positive integer, not 0$"),
        ({"one": True}, r"^Units of 'one' must be a positive integer, not True$"),
        ({"one": 2.0}, r"^Units of 'one' must be a positive integer, not 2\.0$"),
        (
            {"one": 4},
            r"^Units of 'one' must divide its 2 lanes and the 2 channels of a group, not be 4$",
        ),
        ({"two": 2}, r"^Units of 'two' must divide its 3 lanes and the 4 channels of a group, not be 2$"),
        ({"two": 3}, r"^Units of 'two' must divide its 3 lanes and the 4 channels of a group, not be 3$"),
        ({"pool": 1}, r"^Units must name one of depth, one, readout, two, not 'pool'$"),
    ],
)
def test_wrong_units_are_refused(units, message):
    with pytest.raises(InputError, match=message):
        plan_of(block(), BLOCK_LANES, units=units)


def test_pools_and_sums_take_no_lanes_but_give_levels():
    with pytest.raises(InputError, match=r"^Lanes must name one of depth, one, readout, two, not 'pool'$"):
        plan_of(block(), BLOCK_LANES | {"pool": 1})
    assert plan_of(block(), BLOCK_LANES, {"sum": "unary"}).coding["sum"] == "unary"
