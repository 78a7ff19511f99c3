"""NIR graphs that cannot be imported, by reason; bench/importers.py counts them."""

import nir
import numpy as np
from nir_networks import DT, Numbers, chain, fire_if, fire_lif
from refused_networks import Refused

from spikefold.importers import Grid

ONE = Numbers()
FLAT, MAPS = Grid((4,), 3, 0.0, 1.0, 4), Grid((2, 6, 6), 3, 0.0, 1.0, 4)
TOLD = {"dt": DT, "reset": "zero"}
READ = {"leaks of a readout": {"readout": "last"}}


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
    "tau by position": (
        maps(CONV, fire_lif((4, 6, 6), DT / (1 - spread() / 2), 1.0)),
        "lif",
        "tau differs between the positions",
        "one tau for each",
    ),
    "leaks of a readout": (
        chain((4,), ONE.affine(3, 4), nir.LI(np.arange(2, 5) * DT, np.ones(3), np.zeros(3))),
        "li",
        "leak differs between channels",
        "one leak",
    ),
    "a step beyond one tau": (
        mlp(lif(tau=np.array([4, 4, 4, 0.5, 4, 4]) * DT)),
        "lif",
        "longer than its time constant",
        "exponential",
    ),
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


def cases():
    """A network for each reason."""
    for reason, (graph, node, says, _) in REFUSED.items():
        grid = MAPS if graph.nodes["input"].input_type["input"].size == 3 else FLAT
        yield Refused("nir", reason, graph, node, says, grid, TOLD | READ.get(reason, {}))
