"""Integer networks on disk: round trip, same bytes, and broken files."""

import io
import json
import pickle
import zipfile
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from random_networks import LEAK_NAMES, chain_network, random_graph, random_network

from spikefold.errors import InputError
from spikefold.ir import (
    Add,
    Conv,
    Dense,
    Input,
    Network,
    Neuron,
    Pool,
    Population,
    ShiftSum,
    ShiftSums,
    load_network,
    save_network,
)


def same(a, b):
    """Hold two networks equal in every field."""
    assert (a.name, a.steps) == (b.name, b.steps)
    for field in ("shape", "levels", "static", "minimum", "maximum", "padding", "pad_levels"):
        assert getattr(a.input, field) == getattr(b.input, field)
        assert type(getattr(a.input, field)) is type(getattr(b.input, field))
    for p, q in zip(a.stages, b.stages, strict=True):
        if isinstance(p, Population):
            same_population(p, q)
        else:
            assert type(p) is type(q)
            assert p.__dict__ == q.__dict__


def same_population(p, q):
    assert (p.name, p.fraction) == (q.name, q.fraction)
    np.testing.assert_array_equal(p.bias, q.bias)
    assert (p.scale is None) == (q.scale is None)
    if p.scale is not None:
        np.testing.assert_array_equal(p.scale, q.scale)
    for one, two in zip(p.projections, q.projections, strict=True):
        assert type(one) is type(two)
        assert (one.source, one.bits) == (two.source, two.bits)
        np.testing.assert_array_equal(one.weight, two.weight)
        if isinstance(one, Conv):
            assert (one.stride, one.padding, one.groups) == (two.stride, two.padding, two.groups)
    assert (p.neuron is None) == (q.neuron is None)
    if p.neuron is not None:
        for field in ("levels", "rounding", "reset", "leak", "factor", "membrane_bits"):
            assert getattr(p.neuron, field) == getattr(q.neuron, field)
        np.testing.assert_array_equal(p.neuron.threshold, q.neuron.threshold)
        np.testing.assert_array_equal(p.neuron.fire_floor, q.neuron.fire_floor)


def test_every_kind_of_graph_comes_back(tmp_path):
    path, kinds = tmp_path / "network.npz", set()
    for seed in range(40):
        network = random_graph(np.random.default_rng([2, seed]))
        save_network(network, path)
        loaded = load_network(path)
        same(loaded, network)
        data = path.read_bytes()
        save_network(loaded, path)
        assert path.read_bytes() == data
        kinds |= {type(stage).__name__ for stage in network.stages}
        kinds |= {type(p).__name__ for population in network.populations for p in population.projections}
        kinds |= {"padded"} if network.input.padding != (0, 0) else set()
    assert kinds == {"Population", "Pool", "Add", "Dense", "Conv", "Identity", "padded"}


@pytest.mark.parametrize("reset", ["subtract", "zero", "scale", "none"])
def test_every_kind_of_neuron_comes_back(reset, tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "network.npz"
    for leak, cap, floor in product(LEAK_NAMES, (None, 12), (False, True)):
        network = random_network(
            rng, steps=3, sets=3, reset=reset, leak=leak, membrane_bits=cap, fire_floor=floor, bits=8
        )
        save_network(network, path)
        same(load_network(path), network)


def leaky(*leaks):
    """A network whose only neuron has these leaks, one for each channel."""
    channels, rows = len(leaks), (1, len(leaks))
    neuron = Neuron(1, np.full(rows, 9), leak=ShiftSums(tuple(map(ShiftSum, leaks))))
    hidden = Population("hidden", (Dense("input", np.ones((1, channels, 1), int), 2),), np.zeros(rows, int))
    last = Population("readout", (Dense("hidden", np.ones((1, 1, channels), int), 2),), np.zeros((1, 1), int))
    return Network(Input((1,), 1), 2, (replace(hidden, neuron=neuron), last))


def schema_of(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("network.json"))["schema"]


def test_leaks_of_channels_are_schema_3_and_one_leak_is_schema_2(tmp_path):
    one, two = ((1, 0), (-1, 3)), ((1, 1),)
    for leaks, schema in (((one, two, ()), 3), ((one, one, one), 2), (((), ()), 2)):
        save_network(leaky(*leaks), tmp_path / "n.npz")
        assert schema_of(tmp_path / "n.npz") == schema
        same(load_network(tmp_path / "n.npz"), leaky(*leaks))
        data = (tmp_path / "n.npz").read_bytes()
        save_network(load_network(tmp_path / "n.npz"), tmp_path / "n.npz")
        assert (tmp_path / "n.npz").read_bytes() == data


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda h, _: h.update(schema=2),
            r"^Integer .* is not: leaks that differ between channels must come ",
        ),
        (lambda h, _: h.update(schema=4), r"^Network schema must be 2 or 3, not 4$"),
        (lambda _, m: m.pop("hidden.leak.npy"), r"^Integer network must be a complete"),
        (lambda h, _: h["stages"][0]["neuron"].update(leak=[[1, 1]]), r"'hidden\.leak\.npy' belongs to no "),
        (
            lambda _, m: m.update({"hidden.leak.npy": array_bytes(np.zeros((3, 2), np.int8))}),
            r"^Integer .* Array 'hidden\.leak' must be int8 with 3 axes, not int8 of shape \[3, 2\]$",
        ),
        (
            lambda _, m: m.update({"hidden.leak.npy": array_bytes(np.zeros((3, 1, 3), np.int8))}),
            r"^Leak must hold pairs of sign and shift, not 3 numbers a term$",
        ),
        (
            lambda _, m: m.update({"hidden.leak.npy": array_bytes(np.zeros((2, 1, 2), np.int8))}),
            r"^Leak must be of 3 channels, as the threshold, not of 2$",
        ),
        (
            lambda _, m: m.update({"hidden.leak.npy": array_bytes(np.ones((0, 1, 2), np.int8))}),
            r"^A factor per channel must have a shift sum for each, but has none$",
        ),
        (
            lambda _, m: m.update({"hidden.leak.npy": array_bytes(np.full((3, 1, 2), 16, np.int8))}),
            r"^Shift must be 0\.\.15, not 16$",
        ),
        (
            lambda _, m: m.update({"hidden.leak.npy": array_bytes(np.array([[[0, 3]]] * 3, np.int8))}),
            r"^Sign of a shift term must be -1 or \+1, not 0$",
        ),
    ],
)
def test_wrong_leaks_of_channels_are_refused(tmp_path, change, message):
    path = tmp_path / "network.npz"
    save_network(leaky(((1, 0), (-1, 3)), ((1, 1),), ()), path)
    rewrite(path, change)
    with pytest.raises(InputError, match=message):
        load_network(path)


def test_scales_come_back(tmp_path):
    network = chain_network(np.random.default_rng(1))
    p = network.populations[0]
    scaled = Population(
        p.name, p.projections, p.bias, p.fraction, p.neuron, np.random.default_rng(2).random(6)
    )
    network = type(network)(network.input, network.steps, (scaled, network.readout), "other")
    save_network(network, tmp_path / "n.npz")
    same(load_network(tmp_path / "n.npz"), network)


def test_the_same_network_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        save_network(random_network(np.random.default_rng(3)), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.fixture
def stored(tmp_path):
    rng = np.random.default_rng(4)
    window = Conv("input", np.array([7, -8, 1, 2] * 4).reshape(1, 2, 2, 2, 2), 4)
    floor = rng.integers(0, 9, 2)
    neuron = Neuron(4, rng.integers(1, 99, (1, 2)), fire_floor=floor)
    stages = (
        Population("layer0", (window,), rng.integers(-9, 9, (1, 2)), 3, neuron),
        Pool("pool", "layer0", "sum", (2, 2), (1, 1)),
        Add("sum", ("pool", "pool")),
        Population("readout", (Dense("sum", rng.integers(-8, 8, (1, 3, 8)), 4),), np.zeros((1, 3), int)),
    )
    network = Network(Input((2, 2, 4), 16, padding=(1, 0), pad_levels=(3, 0)), 2, stages)
    save_network(network, tmp_path / "network.npz")
    return network, tmp_path / "network.npz"


def test_truncated_files_are_refused(stored):
    _, path = stored
    data = path.read_bytes()
    for end in range(0, len(data), 37):
        path.write_bytes(data[:end])
        with pytest.raises(
            InputError, match=r"^Integer network must be a complete network.npz, but 'network.npz' is"
        ):
            load_network(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_edited_bytes_are_refused_or_change_nothing(stored):
    network, path = stored
    data = path.read_bytes()
    refused = 0
    for place in range(0, len(data), 5):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        try:
            same(load_network(path), network)
        except InputError:
            refused += 1
    assert refused > len(data) / 5 / 2


def rewrite(path, change):
    """Apply `change` to the header and the members of a stored network."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = json.loads(members["network.json"])
    change(header, members)
    members["network.json"] = json.dumps(header).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def array_bytes(array, **options):
    data = io.BytesIO()
    np.save(data, array, **options)
    return data.getvalue()


def put(path, value):
    """A change that sets a header field; `path` is keys and indices."""

    def change(header, _):
        for key in path[:-1]:
            header = header[key]
        header[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put(["schema"], 1), r"^Network schema must be 2 or 3, not 1$"),
        (put(["schema"], None), r"^Network schema must be 2 or 3, not None$"),
        (put(["steps"], 0), r"^Time steps T must be 1\.\.1024, not 0$"),
        (put(["steps"], "2"), r"^Integer network .* is not: Header steps must be of type int, not '2'$"),
        (put(["steps"], True), r"^Integer network .* is not: Header steps must be of type int, not True$"),
        (put(["name"], 5), r"^Integer network must be a complete"),
        (put(["input"], {}), r"^Integer network must be a complete"),
        (put(["input", "extra"], 1), r"^Integer network must be a complete"),
        (put(["input", "padding"], [1, -1]), r"^Input padding must be 0\.\.1024, not -1$"),
        (put(["input", "pad_levels"], [1]), r"^Pad levels must be one per channel \(2\), not 1$"),
        (put(["input", "pad_levels"], 1), r"^Integer network must be a complete"),
        (put(["stages"], []), r"^Integer .* is not: member 'layer0\.bias\.npy' belongs to no population$"),
        (put(["stages"], {}), r"^Integer network must be .* is not: Header stages must be a list, not \{\}$"),
        (put(["stages"], 3), r"^Integer network must be a complete"),
        (put(["stages", 0], 3), r"^Integer network must be a complete"),
        (
            put(["stages", 0, "kind"], "input"),
            r"^Integer .* Header stages\[0\]\.kind must be one of 'population', 'pool', 'add', not 'input'$",
        ),
        (put(["stages", 0, "kind"], "pool"), r"^Integer network must be a complete"),
        (put(["stages", 0, "neuron", "levels"], 300), r"^Neuron levels D must be 1\.\.255, not 300$"),
        (put(["stages", 0, "neuron", "leak"], [[1, 99]]), r"^Shift must be 0\.\.15, not 99$"),
        (put(["stages", 0, "neuron", "leak"], 7), r"^Integer network must be a complete"),
        (put(["stages", 0, "projections", 0, "bits"], 2), r"^Weights of 2 bits must be -2\.\.1, not "),
        (
            put(["stages", 0, "projections", 0, "kind"], "sparse"),
            r"^Integer .*\[0\]\.projections\[0\]\.kind must be one of 'dense', 'conv', .*, not 'sparse'$",
        ),
        (put(["stages", 0, "projections", 0, "kind"], "dense"), r"^Integer network must be a complete"),
        (put(["stages", 0, "projections", 0, "stride"], [0, 1]), r"^Stride must be 1\.\.1024, not 0$"),
        (
            put(["stages", 0, "projections", 0, "stride"], 2),
            r"^Integer .* Header stages\[0\]\.projections\[0\]\.stride must be a list of 2, not 2$",
        ),
        (put(["stages", 0, "projections", 0, "groups"], 3), r"^Groups must be 1\.\.2, not 3$"),
        (put(["stages", 0, "projections", 0, "dilation"], [1, 1]), r"^Integer network must be a complete"),
        (
            put(["stages", 1, "pooling"], "mean"),
            r"^Integer .* Header stages\[1\]\.pooling must be one of 'sum', 'max', not 'mean'$",
        ),
        (
            put(["stages", 1, "kernel"], [4, 4]),
            r"^Kernel \(4, 4\) must fit the map of 3x3 .* \(into 'pool'\)$",
        ),
        (put(["stages", 1, "ceil"], True), r"^Integer network must be a complete"),
        (
            put(["stages", 2, "sources"], ["pool"]),
            r"^Integer .* Header stages\[2\]\.sources must be a list of 2, not \['pool'\]$",
        ),
        (put(["stages", 2, "sources"], 5), r"^Integer network must be a complete"),
        (put(["stages", 2, "extra"], 5), r"^Integer network must be a complete"),
        (put(["stages", 0, "extra"], 5), r"^Integer network must be a complete"),
        (put(["stages", 0, "neuron", "extra"], 5), r"^Integer network must be a complete"),
        (put(["extra"], 5), r"^Integer network must be a complete"),
        (
            put(["stages", 2, "sources"], ["pool", "input"]),
            r"^Maps that meet must be equal, but 'pool' gives \(2, 2, 2\) and another .* \(into 'sum'\)$",
        ),
        (lambda _, members: members.pop("layer0.bias.npy"), r"^Integer network must be a complete"),
        (
            lambda _, m: m.update({"layer0.bias.npy": array_bytes(np.zeros((1, 6)))}),
            r"^Integer .* Array 'layer0\.bias' must be int64 with 2 axes, not float64 of shape \[1, 6\]$",
        ),
        (
            lambda _, m: m.update({"layer0.bias.npy": array_bytes(np.array([[None]]), allow_pickle=True)}),
            r"^Integer network must be a complete .* Object arrays cannot be loaded",
        ),
        (lambda _, m: m.update({"layer0.bias.npy": b"nonsense"}), r"^Integer network must be a complete"),
    ],
)
def test_wrong_contents_are_refused(stored, change, message):
    _, path = stored
    rewrite(path, change)
    with pytest.raises(InputError, match=message):
        load_network(path)


def test_other_headers_are_refused(stored):
    _, path = stored
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("network.json", "[1, 2]")
    with pytest.raises(InputError, match=r"^Integer network must be a complete network.npz"):
        load_network(path)


def test_pickles_are_never_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    path = tmp_path / "network.npz"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(InputError, match=r"^Integer network must be a complete network.npz"):
        load_network(path)


def test_missing_files_are_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"^Integer network must be a complete network.npz, but 'none.npz' is not: "
    ):
        load_network(tmp_path / "none.npz")
