"""The hardware profile: widths hold every number, JSON round trip, and which bound a network breaks."""

import json
from dataclasses import asdict, replace
from itertools import product

import numpy as np
import pytest
from random_networks import LEAKS, chain_network, random_levels, random_network, scalar_run

from spikefold.errors import InputError, ModelError
from spikefold.ir import Input, Network, Neuron, Population, Profile, Projection, fit, profile_of
from spikefold.ir.profile import parameter_rows

LANES = {"layer0": 4, "readout": 2}


def changed(network, name="layer0", **fields):
    """The network with other fields of one population."""
    populations = tuple(replace(p, **fields) if p.name == name else p for p in network.populations)
    return replace(network, populations=populations)


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
        profile = profile_of(network, LANES)
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
            assert ("top" in rows) == (
                (levels == 4 and False) or (levels == 5 and False) or layer.neuron.stores_top
            )
            if "fire_floor" in rows:
                assert fits_in(rows["fire_floor"], widths.fire_floor)


@pytest.mark.parametrize(
    ("levels", "top", "stored"),
    [(1, 1, False), (4, 1, False), (5, 2, False), (6, 3, True), (255, 128, False)],
)
def test_the_top_of_the_ladder_is_stored_unless_a_shift(levels, top, stored):
    network = narrow(levels=levels)
    neuron = profile_of(network, LANES).layers[0].neuron
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
    profile = profile_of(network, {"layer0": 4, "readout": 100}, {"input": "naf"})
    hidden, readout = profile.layers
    assert (profile.steps, profile.input_size, profile.input_levels, profile.input_static) == (3, 5, 16, True)
    assert (hidden.channels, hidden.lanes, hidden.blocks) == (6, 4, 2)
    assert (readout.channels, readout.lanes, readout.blocks) == (3, 3, 1)
    assert readout.neuron is None
    window, later = hidden.windows[0], readout.windows[0]
    assert (window.source, window.inputs, window.levels, window.coding) == ("input", 5, 16, "naf")
    assert (window.weight_bits, window.weight_sets, window.replays) == (4, 3, 3)
    assert (later.source, later.levels, later.coding, later.replays) == ("layer0", 4, "binary", 1)
    assert profile_of(narrow(static=False), LANES).layers[0].windows[0].replays == 1


@pytest.mark.parametrize(
    "options", [{}, {"reset": "scale", "leak": "mixed"}, {"membrane_bits": 12}, {"fire_floor": True}]
)
def test_json_round_trip(options):
    profile = profile_of(narrow(**options), LANES)
    assert Profile.from_json(json.loads(json.dumps(profile.to_json()))) == profile


@pytest.mark.parametrize(
    "change", [lambda d: d.pop("steps"), lambda d: d.update(extra=1), lambda d: d["layers"][0].pop("widths")]
)
def test_incomplete_json_is_refused(change):
    data = json.loads(json.dumps(profile_of(narrow(), LANES).to_json()))
    change(data)
    with pytest.raises(InputError, match=r"^Hardware profile must have every field and no other: "):
        Profile.from_json(data)


def roomy(network):
    """The profile of a network with four more bits for every number."""
    profile = profile_of(network, LANES)
    layers = tuple(
        replace(layer, widths=type(layer.widths)(**{k: v + 4 for k, v in asdict(layer.widths).items()}))
        for layer in profile.layers
    )
    return replace(profile, layers=layers)


def test_networks_of_one_shape_fit_if_their_numbers_do():
    network = narrow()
    fit(network, profile_of(network, LANES))
    other = changed(network, bias=-network.populations[0].bias * 2)
    fit(other, roomy(network))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n: replace(n, steps=1), r"^Network steps must be 2 to fit, not 1$"),
        (lambda n: replace(n, name="other"), r"^Network name must be 'network' to fit, not 'other'$"),
        (lambda n: replace(n, input=Input((5,), 15)), r"^Network input levels must be 16 to fit, not 15$"),
        (
            lambda n: replace(n, input=Input((5,), 16, False)),
            r"^Network input static must be True to fit, not False$",
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
        fit(change(one), profile_of(one, LANES))


def tiny(weight, bias, threshold, steps=2, name="layer0"):
    hidden = Population(
        name,
        (Projection("input", np.array([[weight]]), 8),),
        np.array([[bias]]),
        0,
        Neuron(4, np.array([[threshold]])),
    )
    readout = Population("readout", (Projection(name, np.array([[[1]]]), 2),), np.array([[0]]))
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
    built = profile_of(tiny((7, -8), 0, 4), {"layer0": 1, "readout": 1})
    own = profile_of(tiny(weight, bias, threshold), {"layer0": 1, "readout": 1}).layers[0].widths
    wide = dict.fromkeys(asdict(own), 60) | {field: getattr(own, field) - 1}
    layers = (replace(built.layers[0], widths=type(own)(**wide)), built.layers[1])
    with pytest.raises(
        ModelError, match=rf"^{field.capitalize()} of 'layer0' must fit {wide[field]} bits, but needs"
    ):
        fit(tiny(weight, bias, threshold), replace(built, layers=layers))


def test_other_populations_do_not_fit():
    built = profile_of(tiny((7, -8), 0, 4), {"layer0": 1, "readout": 1})
    with pytest.raises(ModelError, match=r"^Populations must be layer0, readout to fit, not other, readout$"):
        fit(tiny((7, -8), 0, 4, name="other"), built)


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
        profile_of(narrow(), lanes, coding)


def test_only_chains_become_hardware():
    network = random_network(np.random.default_rng(2))
    with pytest.raises(
        ModelError, match=r"^Hardware for 'second' needs exactly one projection, from 'first', not from "
    ):
        profile_of(network, {"first": 1, "second": 1, "readout": 1})
