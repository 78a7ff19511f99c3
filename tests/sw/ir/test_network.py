"""The graph: maps and shapes of its stages, and what is refused."""

import subprocess
import sys

import numpy as np
import pytest

from spikefold.errors import ModelError
from spikefold.ir import Add, Conv, Dense, Identity, Input, Network, Neuron, Pool, Population


def test_needs_neither_torch_nor_amaranth():
    code = "import sys, spikefold.ir; print({'torch', 'amaranth'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"


@pytest.mark.parametrize(
    ("weight", "bits", "message"),
    [
        (np.zeros((1, 2, 3), int), 0, r"^Weight bits must be 1\.\.8, not 0$"),
        (np.zeros((1, 2, 3), int), 9, r"^Weight bits must be 1\.\.8, not 9$"),
        (np.zeros((1, 2, 3), int), 4.0, r"^Weight bits must be 1\.\.8, not 4\.0$"),
        (np.zeros((2, 3), int), 4, r"^Weight must have 3 dimensions, not shape \(2, 3\)$"),
        (np.zeros((1, 2, 3)), 4, r"^Weight must hold integers, not float64$"),
        (np.zeros((1, 0, 3), int), 4, r"^Weight must not be empty, but has shape \(1, 0, 3\)$"),
        (np.full((1, 2, 3), 8), 4, r"^Weights of 4 bits must be -8\.\.7, not 8\.\.8$"),
        (np.full((1, 2, 3), -9), 4, r"^Weights of 4 bits must be -8\.\.7, not -9\.\.-9$"),
        (np.zeros((1, 2, 3), int), 1, r"^One-bit weights must be -1 or \+1$"),
    ],
)
def test_wrong_weights_are_refused(weight, bits, message):
    with pytest.raises(ModelError, match=message):
        Dense("input", weight, bits)


def test_the_whole_range_of_weights_is_taken():
    for bits in range(2, 9):
        weight = np.array([[[-(1 << (bits - 1)), (1 << (bits - 1)) - 1]]])
        assert Dense("input", weight, bits).weight.tolist() == weight.tolist()


def spiking(name="hidden", source="input", size=3, channels=2, **changes):
    return Population(
        **{
            "name": name,
            "projections": (Dense(source, np.ones((1, channels, size), int), 4),),
            "bias": np.zeros((1, channels), int),
            "neuron": Neuron(4, np.full((1, channels), 9)),
        }
        | changes
    )


def readout(source="hidden", size=2, name="readout", **changes):
    return spiking(name, source, size, neuron=None, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"name": "Hidden"},
            r"^Population name must be lower case letters, digits and underscores, not 'Hidden'$",
        ),
        ({"name": "input"}, r"^Population name must be .* not 'input'$"),
        ({"name": "a.b"}, r"^Population name must be .* not 'a\.b'$"),
        ({"fraction": 9}, r"^Fraction F of 'hidden' must be 0\.\.8, not 9$"),
        ({"fraction": 1.0}, r"^Fraction F of 'hidden' must be 0\.\.8, not 1\.0$"),
        ({"projections": ()}, r"^Population 'hidden' must have a projection, but has none$"),
        ({"bias": np.zeros((1, 5), int)}, r"^Weight of 'hidden' must have 5 rows, not 2$"),
        ({"bias": np.zeros((1, 2))}, r"^Bias of 'hidden' must hold integers, not float64$"),
        ({"bias": np.full((1, 2), -(1 << 62))}, r"^Bias of 'hidden' must fit 51 bits, not "),
        ({"neuron": Neuron(4, np.ones((1, 3), int))}, r"^Threshold of 'hidden' must have 2 channels, not 3$"),
        ({"scale": np.ones(3)}, r"^Scale of 'hidden' must have shape \(2,\), not \(3,\)$"),
    ],
)
def test_wrong_populations_are_refused(changes, message):
    with pytest.raises(ModelError, match=message):
        spiking(**changes)


@pytest.mark.parametrize(
    ("populations", "options", "message"),
    [
        ((), {}, r"^The last population must be a readout$"),
        ((spiking(),), {}, r"^The last population must be a readout$"),
        (
            (readout("input", 3), readout("input", 3, "two")),
            {},
            r"^Only the last population may be a readout, not 'readout'$",
        ),
        (
            (spiking(), spiking(), readout()),
            {},
            r"^Population names must be unique, but 'hidden' comes twice$",
        ),
        (
            (spiking(source="other"), readout()),
            {},
            r"^Source of 'hidden' must be the input or an earlier .* not 'other'$",
        ),
        ((spiking(source="hidden"), readout()), {}, r"^Source of 'hidden' must be .* not 'hidden'$"),
        (
            (spiking(size=4), readout()),
            {},
            r"^Dense weight must have 3 columns, one per neuron of 'input', not 4 \(into 'hidden'\)$",
        ),
        ((spiking(), readout()), {"steps": 0}, r"^Time steps T must be 1\.\.1024, not 0$"),
        ((spiking(), readout()), {"steps": 1025}, r"^Time steps T must be 1\.\.1024, not 1025$"),
        ((spiking(), readout()), {"steps": 1.0}, r"^Time steps T must be 1\.\.1024, not 1\.0$"),
        (
            (spiking(), readout()),
            {"name": "9lives"},
            r"^Network name must be lower case letters, .* not '9lives'$",
        ),
        (
            (spiking(bias=np.zeros((2, 2), int)), readout()),
            {},
            r"^Bias of 'hidden' must come once or once per time step \(3\), not 2 times$",
        ),
        (
            (spiking(neuron=Neuron(4, np.ones((2, 2), int))), readout()),
            {},
            r"^Threshold of 'hidden' must come once or once per time step \(3\), not 2 times$",
        ),
        (
            (spiking(projections=(Dense("input", np.ones((2, 2, 3), int), 4),)), readout()),
            {},
            r"^Weight from 'input' of 'hidden' must come once or once per time step \(3\), not 2 times$",
        ),
    ],
)
def test_wrong_networks_are_refused(populations, options, message):
    with pytest.raises(ModelError, match=message):
        Network(Input((3,), 16), **{"steps": 3, "stages": populations} | options)


def test_a_readout_emits_nothing():
    network = Network(Input((3,), 16), 1, (spiking(), readout()))
    assert [network.levels_of(name) for name in ("input", "hidden", "readout")] == [16, 4, 0]
    assert network.populations == network.stages
    assert network.readout is network.by_name["readout"]


def conv(source, channels, targets, kernel=(3, 3), **options):
    return Conv(source, np.ones((1, targets, channels, *kernel), int), 4, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": (0, 1)}, r"^Stride must be 1\.\.1024, not 0$"),
        ({"stride": 2}, r"^Stride must be a pair \(rows, columns\), not 2$"),
        ({"padding": (-1, 1)}, r"^Padding must be 0\.\.1024, not -1$"),
        ({"groups": 0}, r"^Groups must be 1\.\.6, not 0$"),
        ({"groups": 7}, r"^Groups must be 1\.\.6, not 7$"),
        ({"groups": 4}, r"^Groups must divide the 6 target channels, not be 4$"),
    ],
)
def test_wrong_convolutions_are_refused(options, message):
    with pytest.raises(ModelError, match=message):
        conv("input", 2, 6, **options)


def test_weights_of_each_kind_have_their_own_axes():
    for kind, axes in ((Dense, 3), (Conv, 5), (Identity, 2)):
        with pytest.raises(
            ModelError, match=rf"^Weight must have {axes} dimensions, not shape \(1, 1, 1, 1\)$"
        ):
            kind("input", np.ones((1, 1, 1, 1), int), 4)


def test_rows_of_weight_sets():
    several = Dense("input", np.arange(6).reshape(3, 1, 2), 4)
    assert [several.at(step).tolist() for step in range(3)] == [[[0, 1]], [[2, 3]], [[4, 5]]]
    assert conv("input", 2, 6).at(5).shape == (6, 2, 3, 3)
    assert conv("input", 2, 6).flat.shape == (1, 6, 18)


def mapped(name, *projections):
    channels = projections[0].targets
    neuron = Neuron(4, np.full((1, channels), 9))
    return Population(name, projections, np.zeros((1, channels), int), 0, neuron)


def identity(source, channels):
    return Identity(source, np.ones((1, channels), int), 4)


def ending(source, size):
    return Population("readout", (Dense(source, np.ones((1, 2, size), int), 4),), np.zeros((1, 2), int))


def test_maps_and_shapes_of_every_stage():
    stages = (
        mapped(
            "a",
            conv("input", 2, 6, padding=(1, 0), stride=(2, 1)),
            conv("input", 1, 6, (2, 3), groups=2, stride=(2, 1)),
        ),
        Pool("p", "a", "sum", (2, 3), (1, 2), (1, 1)),
        Add("s", ("p", "p")),
        mapped("b", identity("s", 6), conv("p", 1, 6, groups=6, padding=(1, 1))),
        mapped("d", Dense("b", np.ones((1, 5, 6 * 4 * 4), int), 4), conv("p", 6, 5, (4, 4))),
        mapped("e", identity("d", 5)),
        ending("e", 5),
    )
    network = Network(Input((2, 6, 9), 5), 2, stages)
    maps = {
        "input": (2, 6, 9),
        "a": (6, 3, 7),
        "p": (6, 4, 4),
        "s": (6, 4, 4),
        "b": (6, 4, 4),
        "d": (5, 1, 1),
    }
    assert dict(network.maps) == {**maps, "e": (5, 1, 1), "readout": (2, 1, 1)}
    shapes = {name: network.shape_of(name) for name in network.maps}
    assert shapes == {**maps, "d": (5,), "e": (5, 1, 1), "readout": (2,)}
    levels = {"input": 5, "a": 4, "p": 24, "s": 48, "b": 4, "d": 4, "e": 4, "readout": 0}
    assert {name: network.levels_of(name) for name in network.maps} == levels
    assert [p.name for p in network.populations] == ["a", "b", "d", "e", "readout"]
    assert stages[0].sources == ("input", "input")
    assert stages[1].sources == ("a",)
    assert stages[2].sources == ("p", "p")


def test_an_input_that_only_dense_populations_read_is_one_position():
    network = Network(Input((2, 3, 4), 5), 1, (ending("input", 24),))
    assert network.maps["input"] == (24, 1, 1)
    assert network.shape_of("input") == (2, 3, 4)
    padded = Network(Input((2, 3, 4), 5, padding=(1, 1), pad_levels=(0, 0)), 1, (ending("input", 60),))
    assert padded.maps["input"] == (60, 1, 1)


LARGE = Pool("p", "input", "sum", (4, 4), (1, 1))


@pytest.mark.parametrize(
    ("shape", "stages", "message"),
    [
        (
            (8,),
            (mapped("a", conv("input", 8, 2, (1, 1))), ending("a", 2)),
            r"^Input of a convolution must have shape \(channels, height, width\), not \(8,\)$",
        ),
        (
            (2, 5, 5),
            (mapped("a", conv("input", 3, 2)), ending("a", 18)),
            r"^Convolution must have 2 source channels, as many as 'input', not 3 \(3 in each of 1 groups\) "
            r"\(into 'a'\)$",
        ),
        (
            (2, 5, 5),
            (mapped("a", conv("input", 2, 2, groups=2)), ending("a", 18)),
            r"^Convolution must have 2 source .* not 4 \(2 in each of 2 groups\) \(into 'a'\)$",
        ),
        (
            (2, 2, 5),
            (mapped("a", conv("input", 2, 2)), ending("a", 18)),
            r"^Kernel \(3, 3\) must fit the map of 2x5 positions with padding \(0, 0\), but is larger "
            r"\(into 'a'\)$",
        ),
        (
            (2, 5, 5),
            (mapped("a", identity("input", 3)), ending("a", 18)),
            r"^Identity must have 2 channels, as many as 'input', not 3 \(into 'a'\)$",
        ),
        (
            (2, 5, 5),
            (mapped("a", conv("input", 2, 2), identity("input", 2)), ending("a", 18)),
            r"^Maps that meet must be equal, but 'input' gives \(2, 3, 3\) and another source \(2, 5, 5\) "
            r"\(into 'a'\)$",
        ),
        (
            (2, 5, 5),
            (Pool("p", "input", "max", (2, 2), (1, 1)), Add("s", ("p", "input")), ending("s", 18)),
            r"^Maps that meet must be equal, but 'p' gives \(2, 4, 4\) and another .* \(into 's'\)$",
        ),
        (
            (2, 5, 5),
            (mapped("a", conv("input", 2, 2)), ending("a", 17)),
            r"^Dense weight must have 18 columns, one per neuron of 'a', not 17 \(into 'readout'\)$",
        ),
        (
            (2, 5, 5),
            (
                mapped("a", conv("input", 2, 2)),
                Population("readout", (conv("a", 2, 2, (2, 3)),), np.zeros((1, 2), int)),
            ),
            r"^Readout must have one position, not 2; end with a dense projection$",
        ),
        (
            (2, 5, 5),
            (LARGE, ending("p", 8)),
            r"^Levels of 'p' must be at most 255, not 256; pool fewer positions or use neurons of fewer lev",
        ),
        (
            (2, 5, 5),
            (Pool("p", "input", "sum", (3, 3), (1, 1)), Add("s", ("p", "p")), ending("s", 18)),
            r"^Levels of 's' must be at most 255, not 288; ",
        ),
        (
            (2, 5, 5),
            (Pool("p", "q", "max", (1, 1), (1, 1)), ending("p", 50)),
            r"^Source of 'p' must be .* not 'q'$",
        ),
        ((2, 5, 5), (Add("s", ("input", "s")), ending("s", 50)), r"^Source of 's' must be .* not 's'$"),
        (
            (2, 5, 5),
            (Pool("p", "input", "max", (1, 1), (1, 1)),),
            r"^The last population must be a readout$",
        ),
    ],
)
def test_wrong_graphs_are_refused(shape, stages, message):
    with pytest.raises(ModelError, match=message):
        Network(Input(shape, 16), 1, stages)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pool("P", "input", "max", (2, 2), (2, 2)), r"^Pool name must be lower case .* not 'P'$"),
        (
            lambda: Pool("p", "input", "mean", (2, 2), (2, 2)),
            r"^Pooling of 'p' must be 'sum' or 'max', not 'mean'$",
        ),
        (lambda: Pool("p", "input", "max", (2, 0), (2, 2)), r"^Kernel of 'p' must be 1\.\.1024, not 0$"),
        (
            lambda: Pool("p", "input", "max", 2, (2, 2)),
            r"^Kernel of 'p' must be a pair \(rows, columns\), not 2$",
        ),
        (lambda: Pool("p", "input", "max", (2, 2), (0, 2)), r"^Stride of 'p' must be 1\.\.1024, not 0$"),
        (
            lambda: Pool("p", "input", "max", (2, 2), (2, 2), (0, -1)),
            r"^Padding of 'p' must be 0\.\.1024, not -1$",
        ),
        (lambda: Add("input", ("a", "b")), r"^Sum name must be lower case .* not 'input'$"),
        (lambda: Add("s", ("a", "b", "c")), r"^Sum 's' must have 2 sources, not 3$"),
    ],
)
def test_wrong_pools_and_sums_are_refused(make, message):
    with pytest.raises(ModelError, match=message):
        make()
