"""What a NIR graph may not hold, node by node: an error that names it, the reason and what is accepted."""

import h5py
import nir
import numpy as np
import pytest
from nir_networks import (
    DT,
    Numbers,
    chain,
    fire_if,
    fire_lif,
    integrator,
    paper_lif,
    residual,
    snntorch_mlp,
)

from spikefold import limits
from spikefold.errors import ImportRefusal, InputError, ModelError
from spikefold.importers import Grid
from spikefold.importers.nir import load

ONE = Numbers()
FLAT, MAPS = Grid((4,), 3, 0.0, 1.0, 4), Grid((2, 6, 6), 3, 0.0, 1.0, 4)
TOLD = {"dt": DT, "reset": "zero"}


def mlp(*neurons, size=6):
    """Affine, the neurons, Affine."""
    return chain((4,), ONE.affine(size, 4), *neurons, ONE.affine(3, size))


def maps(*nodes):
    return chain((2, 6, 6), *nodes, nir.Flatten({"input": np.array([4, 6, 6])}, 0), ONE.affine(3, 144))


def lif(**fields):
    """A LIF of six neurons with some fields changed."""
    node = fire_lif((6,), 4 * DT, 4.0)
    for name, value in fields.items():
        setattr(node, name, np.broadcast_to(np.asarray(value, float), (6,)).copy())
    return node


def edited(graph, **nodes):
    """The graph with other or more nodes."""
    return nir.NIRGraph(graph.nodes | nodes, list(graph.edges), type_check=False)


def linked(graph, *edges):
    return nir.NIRGraph(dict(graph.nodes), [*graph.edges, *edges], type_check=False)


def cuba(kind):
    fields = (np.full(6, 2 * DT), np.full(6, 3 * DT), np.ones(6), np.zeros(6))
    return nir.CubaLIF(*fields, np.ones(6)) if kind == "CubaLIF" else nir.CubaLI(*fields)


def recurrent():
    graph = mlp(lif())
    return linked(edited(graph, back=ONE.affine(6, 6)), ("lif", "back"), ("back", "lif"))


def spread(seed=0):
    """A threshold for each position of a map."""
    return np.random.default_rng(seed).uniform(0.5, 1, (4, 6, 6))


CONV = ONE.conv(4, 2, 3, 1, 1, (6, 6))
GROUPS = nir.Conv2d((6, 6), ONE.weight(4, 2, 3, 3), 1, 1, 1, 2, ONE.bias(4))
DILATED = nir.Conv2d((6, 6), ONE.weight(4, 2, 3, 3), 1, 2, 2, 1, ONE.bias(4))
EVEN = nir.Conv2d((6, 6), ONE.weight(4, 2, 2, 2), 1, "same", 1, 1, ONE.bias(4))

REFUSED = {
    "CubaLIF": (mlp(cuba("CubaLIF")), "cubalif", "synapse of its own", "LIF"),
    "CubaLI": (mlp(cuba("CubaLI")), "cubali", "synapse of its own", "LIF"),
    "Delay": (mlp(nir.Delay(np.full(6, DT))), "delay", "delays spikes", "LIF"),
    "recurrence": (recurrent(), "back|lif", "it is recurrent: ", "without cycles"),
    "v_leak": (mlp(lif(v_leak=0.1)), "lif", "its v_leak is 0.1", "v_leak = 0"),
    "v_reset": (mlp(lif(v_reset=-0.2)), "lif", "its v_reset is -0.2", "v_reset = 0"),
    "tau by channel": (mlp(lif(tau=np.arange(1, 7) * DT)), "lif", "tau differs between channels", "one tau"),
    "tau of 0": (mlp(lif(tau=0)), "lif", "time constant tau is 0", "above 0"),
    "a step beyond tau": (mlp(lif(tau=DT / 2)), "lif", "longer than its time constant", "exponential"),
    "threshold of 0": (mlp(lif(v_threshold=0)), "lif", "its threshold is 0.0", "above 0"),
    "resistance of 0": (mlp(lif(r=0)), "lif", "its resistance r is 0", "above 0"),
    "not finite": (mlp(lif(r=np.nan)), "lif", "its r holds values that are no finite", "finite numbers"),
    "threshold by position": (
        maps(CONV, fire_if((4, 6, 6), threshold=spread())),
        "if",
        "v_threshold differs between the positions of a channel",
        "one v_threshold for each channel",
    ),
    "shape of neurons": (
        mlp(fire_if((5,))),
        "if",
        "its v_reset has shape [5] where its input has [6]",
        "each neuron",
    ),
    "membrane inside": (mlp(nir.I(np.ones(6))), "i", "emits its membrane", "before the Output alone"),
    "features": (mlp(lif(), ONE.affine(3, 5)), "affine_1", "reads 5 features, not [6]", "as many features"),
    "dense on maps": (chain((2, 6, 6), ONE.affine(3, 72)), "affine", "not [2, 6, 6]", "a Flatten before it"),
    "bias": (
        mlp(nir.Affine(ONE.weight(6, 6), ONE.bias(5))),
        "affine_1",
        "its bias has shape [5]",
        "each target",
    ),
    "three axes": (
        mlp(nir.Linear(ONE.weight(2, 6, 6))),
        "linear",
        "weight has shape [2, 6, 6]",
        "2 dimensions",
    ),
    "groups": (maps(GROUPS), "conv2d", "2 channels in each of 2 groups, but 2 come", "as many channels"),
    "dilation": (maps(DILATED), "conv2d", r"its dilation is (2, 2)", "a dilation of 1"),
    "padding": (maps(EVEN), "conv2d", "its padding is 'same' with a kernel of (2, 2)", "odd kernels"),
    "pool on a vector": (
        mlp(nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))),
        "sumpool2d",
        "it reads values of shape [6]",
        "maps of shape",
    ),
    "pool too large": (
        maps(CONV, nir.AvgPool2d(np.array([7, 7]), np.array([1, 1]), np.array([0, 0]))),
        "avgpool2d",
        "its window does not fit",
        "a window that fits",
    ),
    "flatten of two axes": (
        chain((2, 6, 6), CONV, nir.Flatten({"input": np.array([4, 6, 6])}), result=4),
        "flatten",
        "it flattens axes 1 to -1 of 3",
        "do not count the batch",
    ),
    "maps out": (chain((2, 6, 6), CONV, fire_if((4, 6, 6))), "output", "values of shape [4, 6, 6]", "vector"),
    "sum of shapes": (
        linked(mlp(lif(), ONE.affine(5, 6)), ("lif", "affine_2")),
        "affine_2",
        "adds up values of shapes [[5], [6]]",
        "one shape",
    ),
    "scale": (mlp(nir.Scale(np.ones(5))), "scale", "its scale has shape [5]", "each neuron"),
    "two inputs": (
        edited(mlp(lif()), more=nir.Input(np.array([4]))),
        "(graph)",
        "2 nodes of type Input",
        "one Input",
    ),
    "dead end": (
        linked(edited(mlp(lif()), more=ONE.affine(3, 6)), ("lif", "more")),
        "more",
        "nothing reads it",
        "on a way",
    ),
    "no start": (
        linked(edited(mlp(lif()), more=ONE.affine(6, 6)), ("more", "lif")),
        "more",
        "it reads nothing",
        "on a way",
    ),
    "unknown end": (linked(mlp(lif()), ("lif", "nobody")), "nobody", "there is no such node", "one Input"),
    "two edges": (
        linked(mlp(lif()), ("affine", "lif")),
        "lif",
        "two edges lead to it from 'affine'",
        "one edge",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name):
    graph, node, reason, accepted = REFUSED[name]
    with pytest.raises(ImportRefusal) as found:
        load(graph, MAPS if graph.nodes["input"].input_type["input"].size == 3 else FLAT, **TOLD)
    assert found.value.node in node.split("|")
    assert reason in found.value.reason
    assert accepted in found.value.accepted
    assert found.value.node in str(found.value)


def test_dt_is_asked_for():
    with pytest.raises(ImportRefusal, match=r"'lif' cannot be imported: .* has no time step; accepted: .*dt"):
        load(mlp(lif()), FLAT, reset="zero")


def test_the_reset_is_asked_for():
    with pytest.raises(ImportRefusal, match=r"'lif' cannot .* writes every reset .* accepted: .*'subtract'"):
        load(mlp(lif()), FLAT, dt=DT)


def test_how_a_membrane_is_read_is_asked_for():
    with pytest.raises(ImportRefusal, match=r"'li' cannot .*nothing says how it is read; .*'last'"):
        load(integrator("LI"), Grid((10,), 3, 0.0, 1.0, 4), **TOLD)
    load(integrator("LI"), Grid((10,), 3, 0.0, 1.0, 1), **TOLD)  # one step is the last


def test_metadata_and_option_must_agree():
    graph = mlp(fire_if((6,), reset="subtract"))
    with pytest.raises(ImportRefusal, match="names the reset 'subtract', the option 'zero'"):
        load(graph, FLAT, **TOLD)
    graph = mlp(fire_if((6,), reset="sometimes"))
    with pytest.raises(ImportRefusal, match="names the reset 'sometimes'; accepted: zero or subtract"):
        load(graph, FLAT, **TOLD)


def test_a_leak_out_of_reach():
    with pytest.raises(
        ImportRefusal, match=r"leak 0.96 is no sum of 1 shifts to within 0.001 .*2 shifts|3 shifts"
    ):
        load(paper_lif(), Grid((1,), 3, 0.0, 1.0, 4), **TOLD, leak_terms=1, leak_error=1e-3)


def test_leaky_readout_of_levels_that_are_no_spikes():
    graph = chain((10,), ONE.affine(4, 10), nir.LI(np.full(4, 3 * DT), np.ones(4), np.zeros(4)))
    with pytest.raises(
        ImportRefusal, match=r"'li' .* weighs the steps differently.* reads spikes of 0 and 1"
    ):
        load(graph, Grid((10,), 3, 0.0, 1.0, 4), **TOLD, readout="last")


def test_the_input_must_be_the_graph_s():
    with pytest.raises(ImportRefusal, match=r"'input' .*shape \[12\], but .* grid \[4\]; .*shape \[12\]"):
        load(snntorch_mlp(), FLAT, **TOLD)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dt": 0.0}, r"NIR time step \(dt\) must be a finite number above 0, not 0.0"),
        ({"reset": "soft"}, "NIR reset must be one of 'zero', 'subtract', not 'soft'"),
        ({"fires": "below"}, "NIR fires must be one of 'above', 'at', not 'below'"),
        ({"method": "rk4"}, "NIR method must be one of 'euler', 'exponential', not 'rk4'"),
        ({"readout": "max"}, "NIR readout must be one of 'last', 'mean', not 'max'"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ModelError, match=message):
        load(residual(), MAPS, **options)


def test_a_source_that_is_no_graph():
    with pytest.raises(InputError, match=r"must be a path or a nir.NIRGraph, not int"):
        load(3, FLAT)
    with pytest.raises(InputError, match="Input grid must be given"):
        load(mlp(lif()), None)


def test_files_that_are_no_graphs(tmp_path):
    path = tmp_path / "net.nir"
    with pytest.raises(ModelError, match=r"NIR file '.*net.nir' must exist"):
        load(path, FLAT)
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(ModelError, match="no HDF5 file or is damaged"):
        load(path, FLAT)
    with h5py.File(path, "w") as file:
        file.create_dataset("node/type", data="Gibberish")
    with pytest.raises(ModelError, match=r"cannot be read by nir"):
        load(path, FLAT)
    nir.write(path, fire_if((3,)))
    with pytest.raises(ModelError, match=r"cannot be read by nir .*type_check"):
        load(path, FLAT)


def test_files_that_ask_for_too_much_or_reach_elsewhere(tmp_path):
    path = tmp_path / "net.nir"
    nir.write(path, mlp(lif()))
    with limits.memory(100), pytest.raises(ModelError, match=r"must need at most .* of memory"):
        load(path, FLAT, **TOLD)
    with h5py.File(path, "a") as file:
        file["node/metadata/more"] = h5py.ExternalLink("other.h5", "/")
    with pytest.raises(ModelError, match="must hold its data itself, but 'more' is a link"):
        load(path, FLAT, **TOLD)
    nir.write(path, mlp(lif()))
    with h5py.File(path, "a") as file:
        file["node/nodes/ring"] = file["node"]
    with pytest.raises(ModelError, match="must hold every entry once, but 'ring'"):
        load(path, FLAT, **TOLD)
