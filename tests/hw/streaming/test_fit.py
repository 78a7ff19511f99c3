"""Whether a network runs on the Verilog of another: which bound it breaks, and which shape differs."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from network_cases import BLOCK_LANES, LANES, block, changed, changed_neuron, narrow, skipped
from random_networks import LEAKS

from spikefold.errors import ModelError
from spikefold.ir import Conv, Dense, Input, Network, Neuron, Population, ShiftSum, ShiftSums
from spikefold_hw.streaming.planning import check_fit, plan_of

SIXTEEN = np.ones((1, 4, 4, 3, 3), int)


def roomy(network):
    """The plan of a network with four more bits for every number."""
    plan = plan_of(network, LANES)
    stages = tuple(
        replace(layer, widths=type(layer.widths)(**{k: v + 4 for k, v in asdict(layer.widths).items()}))
        for layer in plan.layers
    )
    return replace(plan, stages=stages)


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
            r"^Network input must be EventStream\(.*levels=16, .* to fit, not EventStream\(.*levels=15, ",
        ),
        (
            lambda n: replace(n, input=Input((5,), 16, False)),
            r"^Network input must be EventStream\(.*steps=1, .* to fit, not EventStream\(.*steps=2, ",
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


def leaking(*leaks):
    """Two channels with these leaks, over three steps."""
    threshold = np.array([[9, 9]])
    neuron = Neuron(4, threshold, leak=ShiftSums(tuple(map(ShiftSum, leaks))))
    hidden = Population(
        "layer0", (Dense("input", np.full((1, 2, 3), 7), 4),), np.zeros((1, 2), int), 0, neuron
    )
    readout = Population("readout", (Dense("layer0", np.ones((1, 1, 2), int), 2),), np.array([[0]]))
    return Network(Input((3,), 16), 3, (hidden, readout))


def test_leaks_of_the_terms_that_the_hardware_has_fit():
    """In whatever channel; in words of two, and beside hardware of one leak, where none but that does."""
    fine, coarse = ((1, 0), (-1, 5)), ((1, 1),)
    built = plan_of(leaking(fine, coarse), {"layer0": 2, "readout": 1}, units={"layer0": 2})
    for leaks in ((coarse, fine), (coarse, coarse), (fine, fine)):
        check_fit(leaking(*leaks), built)
        (image,) = (i for n, i in built.stages[0].images(leaking(*leaks)).items() if n == "layer0_parameter")
        assert image.width == sum(
            size.width for size in built.stages[0].image_sizes() if "param" in size.name
        )
    with pytest.raises(ModelError, match=r"^Neuron of 'layer0' must be .*shifts=\(0, 1\).* to fit, not "):
        check_fit(leaking(fine, ((1, 2),)), built)
    alone = plan_of(leaking(fine, fine), {"layer0": 2, "readout": 1})
    with pytest.raises(ModelError, match=r"^Neuron of 'layer0' must be .*leak=ShiftSum.* to fit, not "):
        check_fit(leaking(fine, coarse), alone)


def test_a_coarse_leak_needs_the_places_of_the_finest():
    """The hardware adds with the precision that it was built for."""
    network = leaking(((1, 1),), ((1, 1),))
    built = plan_of(leaking(((1, 0), (-1, 5)), ((1, 1),)), {"layer0": 2, "readout": 1})
    own = plan_of(network, {"layer0": 2, "readout": 1}).layers[0].widths
    assert own.leak < built.layers[0].widths.leak
    narrow = replace(built.layers[0], widths=replace(built.layers[0].widths, leak=own.leak + 3))
    with pytest.raises(ModelError, match=rf"^Leak of 'layer0' must fit {own.leak + 3} bits, but needs"):
        check_fit(network, replace(built, stages=(narrow, built.layers[1])))


def test_other_populations_do_not_fit():
    built = plan_of(tiny((7, -8), 0, 4), {"layer0": 1, "readout": 1})
    with pytest.raises(ModelError, match=r"^Populations must be layer0, readout to fit, not other, readout$"):
        check_fit(tiny((7, -8), 0, 4, name="other"), built)


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
            r"^Skips of 'two' must be \(BufferedIdentity\(.*bits=8\),\) to fit, not \(.*bits=2\),\)$",
        ),
        (
            "one",
            {"projections": (Conv("input", SIXTEEN, 4, padding=(1, 1)),)},
            r"^Projections of 'one' must be \(ProjectionShape\(.*groups=2.* to fit, not \(.*groups=1,",
        ),
    ],
)
def test_graphs_of_another_shape_do_not_fit(name, fields, message):
    built = plan_of(block(), BLOCK_LANES | {"one": 2})
    with pytest.raises(ModelError, match=message):
        check_fit(changed(block(), name, **fields), built)


def test_a_build_whose_options_no_longer_apply_does_not_fit():
    built = plan_of(block(), BLOCK_LANES, units={"one": 2})
    weight = np.ones((1, 4, 1, 3, 3), int)
    other = changed(block(), "one", projections=(Conv("input", weight, 4, padding=(1, 1), groups=4),))
    with pytest.raises(
        ModelError,
        match=r"^Network must have the shape of the build to fit: Units of 'one' must divide its 1 lanes and",
    ):
        check_fit(other, built)
