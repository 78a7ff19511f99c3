"""The hardware profile: widths hold every number, JSON round trip, and which bound a network breaks."""

import json
from dataclasses import asdict, replace
from itertools import product

import numpy as np
import pytest
from random_networks import (
    LEAKS,
    chain_network,
    random_graph,
    random_graph_levels,
    random_levels,
    random_weight,
    scalar_run,
)

from spikefold.errors import InputError, ModelError
from spikefold.ir import Add, Conv, Dense, Identity, Input, Map, Network, Neuron, Pool, Population
from spikefold_hw.streaming.depths import occupancy
from spikefold_hw.streaming.plan import InputPlan, levels_of
from spikefold_hw.streaming.planning import check_fit, parameter_rows, plan_of, with_lanes

LANES = {"layer0": 4, "readout": 2}


def changed(network, name="layer0", **fields):
    """The network with other fields of one population."""
    stages = tuple(replace(stage, **fields) if stage.name == name else stage for stage in network.stages)
    return replace(network, stages=stages)


def changed_neuron(network, **fields):
    return changed(network, neuron=replace(network.populations[0].neuron, **fields))


def narrow(**options):
    """A small network whose numbers have room in the profile of `wide`."""
    return chain_network(np.random.default_rng(0), bits=4, **options)


def fits_in(values, bits):
    return all(-(1 << (bits - 1)) <= v < 1 << (bits - 1) for v in np.ravel(values).tolist())


@pytest.mark.parametrize("reset", ["subtract", "zero", "scale", "none"])
def test_widths_hold_every_number(reset):
    rng = np.random.default_rng(1)
    for leak, cap, levels in product(LEAKS, (None, 10), (1, 4, 5)):
        network = chain_network(
            rng,
            steps=3,
            reset=reset,
            leak=leak,
            membrane_bits=cap,
            levels=levels,
            fire_floor=bool(levels & 1),
        )
        profile = plan_of(network, LANES)
        runs = [scalar_run(network, sample) for sample in random_levels(rng, network, 6)]
        for p, layer in zip(network.populations, profile.layers, strict=True):
            rows = parameter_rows(p)
            widths = layer.widths
            for _, membranes, potentials, _ in runs:
                assert fits_in(membranes[p.name], widths.membrane)
                assert fits_in(potentials[p.name], widths.potential)
            assert fits_in(rows["bias"], widths.bias)
            if p.neuron is None:
                assert list(rows) == ["bias"]
                continue
            assert (rows["threshold"] < 1 << widths.threshold).all()
            assert (rows["threshold"] >= 1 << (widths.threshold - 1)).any()
            assert ("top" in rows) == layer.neuron.stores_top
            if "fire_floor" in rows:
                assert fits_in(rows["fire_floor"], widths.fire_floor)


@pytest.mark.parametrize(
    ("levels", "top", "stored"),
    [(1, 1, False), (4, 1, False), (5, 2, False), (6, 3, True), (255, 128, False)],
)
def test_the_top_of_the_ladder_is_stored_unless_a_shift(levels, top, stored):
    network = narrow(levels=levels)
    neuron = plan_of(network, LANES).layers[0].neuron
    assert (neuron.top, neuron.stores_top) == (top, stored)
    rows = parameter_rows(network.populations[0])
    assert ("top" in rows) == stored
    if stored:
        np.testing.assert_array_equal(rows["top"], rows["threshold"] * top)


def test_half_a_threshold_is_merged_only_where_nothing_acts_in_between():
    for options in ({}, {"membrane_bits": 12}, {"reset": "scale"}):
        p = narrow(fire_floor=True, **options).populations[0]
        rows = parameter_rows(p)
        half = p.neuron.threshold >> 1 if not options else 0
        np.testing.assert_array_equal(rows["bias"], np.broadcast_to(p.bias + half, rows["bias"].shape))
        np.testing.assert_array_equal(
            rows["fire_floor"], np.broadcast_to(p.neuron.fire_floor + half, rows["bias"].shape)
        )


def test_shape_of_a_profile():
    network = narrow(steps=3, sets=3)
    profile = plan_of(network, {"layer0": 4, "readout": 100}, {"input": "naf"})
    hidden, readout = profile.layers
    assert (profile.steps, profile.order) == (3, "position_major")
    assert profile.input == InputPlan(Map(5), 16, 3)
    assert (hidden.channels, hidden.lanes, hidden.blocks, hidden.map) == (6, 4, 2, Map(6))
    assert (readout.channels, readout.lanes, readout.blocks, readout.map) == (3, 3, 1, Map(3))
    assert (hidden.drain, hidden.words, hidden.groups) == (1, 6, 1)
    assert readout.neuron is None
    window, later = hidden.windows[0], readout.windows[0]
    assert (window.source, window.inputs, window.levels, window.coding) == ("input", 5, 16, "naf")
    assert (window.weight_bits, window.weight_sets, hidden.weight_rows(window)) == (4, 3, 3 * 2 * 5)
    assert (later.source, later.levels, later.coding) == ("layer0", 4, "binary")
    assert [layer.repeats for layer in profile.layers] == [1, 1]
    assert profile.sources == {"input": (Map(5), 16), "layer0": (Map(6), 4)}
    assert profile.coding == {"input": "naf", "layer0": "binary"}
    assert (list(hidden.block_channels(0)), list(hidden.block_channels(1))) == ([0, 1, 2, 3], [4, 5])


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
    profile = plan_of(narrow(**options), LANES, order=order)
    static = options.get("static", True)
    assert profile.order == (order or ("position_major" if static else "step_major"))
    assert profile.input.steps == presented
    assert [layer.repeats for layer in profile.layers] == [repeats, 1]


def block(**changes):
    """A residual block of every kind of stage over a map of 4x5x6."""
    rng = np.random.default_rng(5)
    neuron = Neuron(3, rng.integers(20, 90, (1, 4)))
    options = {"stride": (1, 1), "padding": (1, 1)}

    def conv(source, channels, targets, bits=4, **more):
        shape = (1, targets, channels, 3, 3)
        return Conv(source, random_weight(rng, bits, shape), bits, **options | more)

    def layer(name, *projections, channels=4):
        kind = replace(neuron, threshold=np.resize(neuron.threshold, (1, channels)))
        return Population(name, projections, np.zeros((1, channels), int), 2, kind)

    stages = (
        layer("one", conv("input", 2, 4, groups=2)),
        layer("two", conv("one", 4, 4, 8), Identity("input", rng.integers(-99, 99, (1, 4)), 8)),
        layer("depth", conv("two", 1, 8, groups=4), conv("one", 2, 8, groups=2), channels=8),
        Pool("pool", "depth", "sum", (2, 3), (2, 2), (1, 0)),
        Pool("most", "pool", "max", (2, 2), (1, 1)),
        Add("sum", ("most", "most")),
        Population("readout", (Dense("sum", random_weight(rng, 4, (1, 6, 16)), 4),), np.zeros((1, 6), int)),
    )
    return replace(Network(Input((4, 5, 6), 9), 2, stages), **changes)


BLOCK_LANES = {"one": 4, "two": 3, "depth": 5, "readout": 4}


def test_profile_of_a_graph():
    profile = plan_of(block(), BLOCK_LANES, {"two": "naf"}, drain={"one": 2, "readout": 2})
    one, two, depth, pool, most, total, readout = profile.stages
    assert profile.input == InputPlan(Map(4, 5, 6), 9, 2)
    assert [stage.name for stage in profile.stages] == [
        "one",
        "two",
        "depth",
        "pool",
        "most",
        "sum",
        "readout",
    ]
    assert profile.layers == (one, two, depth, readout)
    # Lanes are cut to a group: 2 of 4 channels, and 2 of 8 where the finer of two groupings counts.
    assert [(x.lanes, x.groups, x.blocks, x.words) for x in profile.layers] == [
        (2, 2, 2, 2),
        (3, 1, 2, 4),
        (2, 4, 4, 8),
        (4, 1, 2, 3),
    ]
    fine, coarse = depth.windows
    assert (fine.scan.groups, fine.scan.channels, fine.inputs, depth.replays(fine)) == (4, 1, 9, 1)
    assert (coarse.scan.groups, coarse.scan.channels, coarse.inputs, depth.replays(coarse)) == (2, 2, 18, 2)
    assert (depth.weight_rows(fine), depth.weight_rows(coarse)) == (36, 72)
    assert [list(depth.block_channels(k)) for k in range(4)] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    (skip,) = two.skips
    assert (skip.source, skip.weight_bits, skip.buffer.levels) == ("input", 8, 9)
    assert two.windows[0].weight_bits == 8
    assert (fine.coding, coarse.coding) == ("naf", "binary")
    assert (pool.pooling, pool.map, pool.levels) == ("sum", Map(8, 3, 2), 18)
    assert (most.pooling, most.map, most.levels) == ("max", Map(8, 2, 1), 18)
    assert (total.map, total.levels, [b.source for b in total.buffers]) == (
        Map(8, 2, 1),
        36,
        ["most", "most"],
    )
    assert (readout.windows[0].inputs, readout.windows[0].levels) == (16, 36)
    # The input is read by an identity as well, so it is presented at each of the two steps.
    assert [scan.steps for stage in profile.stages for scan in stage.windows] == [2] * 7
    assert levels_of(readout) == 0
    assert profile.sources["sum"] == (Map(8, 2, 1), 36)


def test_depths_hold_what_waits():
    """Windows: occupancy and the columns of a stride; skips: one more, each step of a position by itself."""
    network = block()
    kept = occupancy(network)
    for order, steps in (("position_major", 2), ("step_major", 1)):
        profile = plan_of(network, BLOCK_LANES, order=order)
        for stage in profile.stages:
            scans, buffers = stage.windows, stage.buffers
            ports = [kept[stage.name, port] for port in range(len(scans) + len(buffers))]
            for scan, most in zip(scans, ports, strict=False):
                whole = scan.window.whole and steps == 1 and stage.name == "readout"
                assert scan.depth == (0 if whole else most + scan.stride[1])
            for buffer, most in zip(buffers, ports[len(scans) :], strict=True):
                assert buffer.depth == (most + 1) * steps


def test_profiles_of_random_graphs():
    """JSON and back, fitting themselves, and widths that hold the numbers of a run."""
    for seed in range(25):
        rng = np.random.default_rng([5, seed])
        network = random_graph(rng, neurons=60)
        lanes = {p.name: int(rng.integers(1, 9)) for p in network.populations}
        coding = {"input": str(rng.choice(["binary", "naf", "unary"]))}
        order = [None, "position_major", "step_major"][seed % 3]
        profile = plan_of(network, lanes, coding, order)
        assert Profile.from_json(json.loads(json.dumps(profile.to_json()))) == profile
        check_fit(network, profile)
        _, membranes, potentials, _ = scalar_run(network, random_graph_levels(rng, network, 1)[0])
        for layer in profile.layers:
            assert fits_in(membranes[layer.name], layer.widths.membrane)
            assert fits_in(potentials[layer.name], layer.widths.potential)
            assert sum(len(layer.block_channels(k)) for k in range(layer.blocks)) == layer.channels


SIXTEEN = np.ones((1, 4, 4, 3, 3), int)


def skipped(source, channels):
    return Identity(source, np.ones((1, channels), int), 2)


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
    "options", [{}, {"reset": "scale", "leak": "mixed"}, {"membrane_bits": 12}, {"fire_floor": True}]
)
def test_json_round_trip(options):
    profile = plan_of(narrow(**options), LANES)
    assert Profile.from_json(json.loads(json.dumps(profile.to_json()))) == profile


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("steps"),
        lambda d: d.update(extra=1),
        lambda d: d["stages"][0].pop("widths"),
        lambda d: d["stages"][0].pop("kind"),
        lambda d: d["stages"][0].update(kind="conv"),
        lambda d: d["stages"][0].update(kind="pool"),
        lambda d: d["stages"][0]["windows"][0]["scan"].pop("depth"),
        lambda d: d["stages"][1]["skips"][0]["buffer"].update(size=3),
        lambda d: d["stages"][5]["buffers"].pop(),
        lambda d: d["input"].pop("map"),
        lambda d: d.update(stages=5),
    ],
)
def test_incomplete_json_is_refused(change):
    data = json.loads(json.dumps(plan_of(block(), BLOCK_LANES).to_json()))
    assert Profile.from_json(data) == plan_of(block(), BLOCK_LANES)
    change(data)
    with pytest.raises(InputError, match=r"^Hardware profile must have every field and no other: "):
        Profile.from_json(data)


def roomy(network):
    """The profile of a network with four more bits for every number."""
    profile = plan_of(network, LANES)
    stages = tuple(
        replace(layer, widths=type(layer.widths)(**{k: v + 4 for k, v in asdict(layer.widths).items()}))
        for layer in profile.layers
    )
    return replace(profile, stages=stages)


def test_networks_of_one_shape_fit_if_their_numbers_do():
    network = narrow()
    check_fit(network, plan_of(network, LANES))
    other = changed(network, bias=-network.populations[0].bias * 2)
    check_fit(other, roomy(network))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n: replace(n, steps=1), r"^Network steps must be 2 to fit, not 1$"),
        (lambda n: replace(n, name="other"), r"^Network name must be 'network' to fit, not 'other'$"),
        (
            lambda n: replace(n, input=Input((5,), 15)),
            r"^Network input must be InputPlan\(.*levels=16, .* to fit, not InputPlan\(.*levels=15, ",
        ),
        (
            lambda n: replace(n, input=Input((5,), 16, False)),
            r"^Network input must be InputPlan\(.*steps=1\) to fit, not InputPlan\(.*steps=2\)$",
        ),
        (lambda n: changed(n, fraction=8), r"^Fraction of 'layer0' must be \d to fit, not 8$"),
        (lambda n: changed_neuron(n, leak=LEAKS["half"]), r"^Neuron of 'layer0' must be .* to fit, not "),
        (lambda n: changed_neuron(n, levels=5), r"^Neuron of 'layer0' must be "),
        (
            lambda n: changed(n, bias=n.populations[0].bias + (1 << 20)),
            r"^Bias of 'layer0' must fit \d+ bits, but needs \d+; ",
        ),
    ],
)
def test_misfits_name_what_broke(change, message):
    network = narrow(steps=2)
    one = changed_neuron(network, threshold=network.populations[0].neuron.threshold[:1])
    one = changed(changed(one, bias=one.populations[0].bias[:1]), "readout", bias=one.readout.bias[:1])
    with pytest.raises(ModelError, match=message):
        check_fit(change(one), plan_of(one, LANES))


def tiny(weight, bias, threshold, steps=2, name="layer0"):
    hidden = Population(
        name,
        (Dense("input", np.array([[weight]]), 8),),
        np.array([[bias]]),
        0,
        Neuron(4, np.array([[threshold]])),
    )
    readout = Population("readout", (Dense(name, np.array([[[1]]]), 2),), np.array([[0]]))
    return Network(Input((2,), 16), steps, (hidden, readout))


@pytest.mark.parametrize(
    ("weight", "bias", "threshold", "field"),
    [
        ((9, -8), 0, 4, "accumulator"),
        ((7, -8), 64, 4, "bias"),
        ((7, -8), 0, 64, "threshold"),
        ((-1, -8), 0, 4, "membrane"),
    ],
)
def test_each_bound_is_named(weight, bias, threshold, field):
    built = plan_of(tiny((7, -8), 0, 4), {"layer0": 1, "readout": 1})
    own = plan_of(tiny(weight, bias, threshold), {"layer0": 1, "readout": 1}).layers[0].widths
    wide = dict.fromkeys(asdict(own), 60) | {field: getattr(own, field) - 1}
    stages = (replace(built.layers[0], widths=type(own)(**wide)), built.layers[1])
    with pytest.raises(
        ModelError, match=rf"^{field.capitalize()} of 'layer0' must fit {wide[field]} bits, but needs"
    ):
        check_fit(tiny(weight, bias, threshold), replace(built, stages=stages))


def test_other_populations_do_not_fit():
    built = plan_of(tiny((7, -8), 0, 4), {"layer0": 1, "readout": 1})
    with pytest.raises(ModelError, match=r"^Populations must be layer0, readout to fit, not other, readout$"):
        check_fit(tiny((7, -8), 0, 4, name="other"), built)


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
        InputError, match=r"^Order of time must be innermost or step_major, not 'channel_major'$"
    ):
        plan_of(narrow(), LANES, order="channel_major")


@pytest.mark.parametrize(
    ("drain", "message"),
    [
        ({"one": 0}, r"^Drain of 'one' must be a positive integer, not 0$"),
        ({"one": True}, r"^Drain of 'one' must be a positive integer, not True$"),
        ({"one": 2.0}, r"^Drain of 'one' must be a positive integer, not 2\.0$"),
        (
            {"one": 4},
            r"^Drain of 'one' must divide its 2 lanes and the 2 channels of a group, not be 4$",
        ),
        ({"two": 2}, r"^Drain of 'two' must divide its 3 lanes and the 4 channels of a group, not be 2$"),
        ({"two": 3}, r"^Drain of 'two' must divide its 3 lanes and the 4 channels of a group, not be 3$"),
        ({"pool": 1}, r"^Drain must name one of depth, one, readout, two, not 'pool'$"),
    ],
)
def test_wrong_drains_are_refused(drain, message):
    with pytest.raises(InputError, match=message):
        plan_of(block(), BLOCK_LANES, drain=drain)


def test_pools_and_sums_take_no_lanes_but_give_levels():
    with pytest.raises(InputError, match=r"^Lanes must name one of depth, one, readout, two, not 'pool'$"):
        plan_of(block(), BLOCK_LANES | {"pool": 1})
    assert plan_of(block(), BLOCK_LANES, {"sum": "unary"}).coding["sum"] == "unary"


def test_lanes_of_a_profile_can_be_exchanged():
    network = block()
    profile = plan_of(network, BLOCK_LANES)
    lanes, drain = (
        {"one": 1, "two": 4, "depth": 2, "readout": 6},
        {"one": 1, "two": 2, "depth": 1, "readout": 3},
    )
    assert with_lanes(profile, lanes, drain) == plan_of(network, lanes, drain=drain)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        (
            "pool",
            {"pooling": "max"},
            r"^Stage 'pool' must be PoolStage\(.*'sum'.* to fit, not PoolStage\(.*'max'",
        ),
        ("one", {"fraction": 3}, r"^Fraction of 'one' must be 2 to fit, not 3$"),
        (
            "two",
            {"projections": (Conv("one", SIXTEEN, 8, padding=(1, 1)), skipped("input", 4))},
            r"^Skips of 'two' must be \(SkipProfile\(.*bits=8\),\) to fit, not \(SkipProfile\(.*bits=2\),\)$",
        ),
        (
            "one",
            {"projections": (Conv("input", SIXTEEN, 4, padding=(1, 1)),)},
            r"^Windows of 'one' must be \(ProjectionShape\(.*groups=2.* to fit, not \(Window.*groups=1,",
        ),
    ],
)
def test_graphs_of_another_shape_do_not_fit(name, fields, message):
    built = plan_of(block(), BLOCK_LANES | {"one": 2})
    with pytest.raises(ModelError, match=message):
        check_fit(changed(block(), name, **fields), built)


def test_a_build_whose_options_no_longer_apply_does_not_fit():
    built = plan_of(block(), BLOCK_LANES, drain={"one": 2})
    weight = np.ones((1, 4, 1, 3, 3), int)
    other = changed(block(), "one", projections=(Conv("input", weight, 4, padding=(1, 1), groups=4),))
    with pytest.raises(
        ModelError,
        match=r"^Network must have the shape of the build to fit: Drain of 'one' must divide its 1 lanes and",
    ):
        check_fit(other, built)
