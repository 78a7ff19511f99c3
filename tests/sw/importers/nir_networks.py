"""NIR graphs: those of NIR's own paper and documentation, and what frameworks export."""

from itertools import pairwise

import nir
import numpy as np
from import_case import Case

from spikefold.importers import Grid

DT = 1e-4


class Numbers:
    """Seeded weights, and neurons of a shape."""

    def __init__(self, seed=0):
        self._draw = np.random.default_rng(seed)

    def weight(self, *shape, scale=2.0):
        fan_in = np.prod(shape[1:])
        return (self._draw.uniform(-0.7, 1.0, shape) * scale * fan_in**-0.5).astype(np.float32)

    def bias(self, count):
        return self._draw.uniform(-0.1, 0.2, count).astype(np.float32)

    def affine(self, out, before, scale=2.0):
        return nir.Affine(self.weight(out, before, scale=scale), self.bias(out))

    def linear(self, out, before, scale=2.0):
        return nir.Linear(self.weight(out, before, scale=scale))

    def conv(self, out, before, kernel, stride=1, padding=0, size=None):
        weight = self.weight(out, before, kernel, kernel)
        return nir.Conv2d(size, weight, stride, padding, 1, 1, self.bias(out))

    def thresholds(self, shape):
        per_channel = self._draw.uniform(0.5, 1.5, (shape[0], *(1,) * (len(shape) - 1)))
        return np.broadcast_to(per_channel, shape).copy()


def fire_if(shape, r=1.0, threshold=1.0, **metadata):
    return nir.IF(
        np.full(shape, r), np.broadcast_to(threshold, shape).copy(), np.zeros(shape), metadata=metadata
    )


def fire_lif(shape, tau, r=1.0, threshold=1.0, **metadata):
    sizes = (np.full(shape, tau), np.full(shape, r), np.zeros(shape))
    return nir.LIF(*sizes, np.broadcast_to(threshold, shape).copy(), np.zeros(shape), metadata=metadata)


def chain(shape, *nodes, result=None):
    """A graph of one node after the other; Conv2d and pools learn their shapes from the input's."""
    graph = nir.NIRGraph.from_list(nir.Input(np.array(shape)), *nodes, type_check=False)
    last = list(graph.nodes)[-1]
    count = len(nodes[-1].bias) if hasattr(nodes[-1], "bias") else nodes[-1].output_type["output"]
    graph.nodes[last] = nir.Output(np.atleast_1d(result or count))
    return graph


def paper_lif(weight=1.0, r=1.0, threshold=0.1):
    """The single neuron of NIR's paper: tau 2.5 ms, `v_threshold` 0.1."""
    affine = nir.Affine(np.full((1, 1), weight, np.float32), np.zeros(1, np.float32))
    return chain((1,), affine, fire_lif((1,), np.float32(0.0025), np.float32(r), np.float32(threshold)))


def paper_cnn(size=18, width=6, seed=3):
    """The convolutional network of NIR's paper as sinabs exports it, smaller: IF, sum pools, spikes out."""
    one = Numbers(seed)
    half, quarter, least = (size - 2) // 2, (size - 2) // 4, (size - 2) // 8
    return chain(
        (2, size, size),
        one.conv(width, 2, 5, 2, 1, (size, size)),
        fire_if((width, half, half)),
        one.conv(width, width, 3, 1, 1, (half, half)),
        fire_if((width, half, half)),
        nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        one.conv(5, width, 3, 1, 1, (quarter, quarter)),
        fire_if((5, quarter, quarter)),
        nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        nir.Flatten({"input": np.array([5, least, least])}, 0),
        one.affine(24, 5 * least * least),
        fire_if((24,)),
        one.affine(4, 24),
        fire_if((4,)),
    )


def snntorch_mlp(beta=0.9, seed=4):
    """What snnTorch's exporter makes of Linear, Leaky, Linear, Leaky: thresholds for each neuron."""
    one, tau = Numbers(seed), DT / (1 - beta)
    first, second = one.thresholds((20,)), one.thresholds((5,))
    return chain(
        (12,),
        one.affine(20, 12),
        fire_lif((20,), tau, tau / DT, first),
        one.affine(5, 20),
        fire_lif((5,), tau, tau / DT, second),
    )


def taus_of_channels(seed=10):
    """A convolution and a dense layer with a time constant, a resistance and a threshold for each channel."""
    one, taus = Numbers(seed), np.array([4 / 3, 2.0, 4.0, 16 / 7, 16 / 3, 1e18])[:, None, None] * DT
    neurons = np.broadcast_to(taus, (6, 8, 8))
    return chain(
        (2, 8, 8),
        one.conv(6, 2, 3, 1, 1, (8, 8)),
        fire_lif((6, 8, 8), neurons, neurons / DT, np.broadcast_to(one.thresholds((6, 1, 1)), (6, 8, 8))),
        nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        nir.Flatten({"input": np.array([6, 4, 4])}, 0),
        one.linear(5, 96),
        fire_lif((5,), np.array([2.0, 4.0, 8.0, 2.0, 8 / 3]) * DT, 1.5, 0.3),
    )


def spikingjelly_cnn(tau=2.0, seed=5):
    """What SpikingJelly's exporter makes of Conv2d, LIFNode (decay_input), AvgPool2d, Flatten, Linear."""
    one = Numbers(seed)
    return chain(
        (2, 8, 8),
        one.conv(6, 2, 3, 1, 1, (8, 8)),
        fire_lif((6, 8, 8), tau * DT, 1.0, 0.4),
        nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        nir.Flatten({"input": np.array([6, 4, 4])}, 0),
        one.linear(5, 96),
    )


def integrator(kind, seed=6, tau=5 * DT):
    """Linear, LIF, Affine and a membrane that is read: LI, or I where tau is None."""
    one, ones = Numbers(seed), np.ones(4)
    end = nir.I(ones / DT) if kind == "I" else nir.LI(ones * tau, ones * 3, ones * 0)
    return chain((10,), one.linear(16, 10), fire_lif((16,), 4 * DT, 4.0), one.affine(4, 16), end)


def residual(seed=7):
    """Currents of two branches and the spikes themselves meet before a neuron; spikes are added after it."""
    one = Numbers(seed)
    nodes = {
        "in": nir.Input(np.array([2, 6, 6])),
        "stem": one.conv(4, 2, 3, 1, 1, (6, 6)),
        "fire0": fire_if((4, 6, 6), threshold=0.5),
        "conv1": one.conv(4, 4, 3, 1, 1, (6, 6)),
        "conv2": one.conv(4, 4, 1, 1, 0, (6, 6)),
        "fire1": fire_if((4, 6, 6)),
        "flat": nir.Flatten({"input": np.array([4, 6, 6])}, 0),
        "head": one.affine(3, 144),
        "out": nir.Output(np.array([3])),
    }
    edges = [("in", "stem"), ("stem", "fire0"), ("fire0", "conv1"), ("fire0", "conv2"), ("conv1", "fire1")]
    edges += [("conv2", "fire1"), ("fire0", "fire1"), ("fire1", "flat"), ("fire0", "flat")]
    return nir.NIRGraph(nodes, [*edges, ("flat", "head"), ("head", "out")], type_check=False)


def nested(seed=8):
    """Layers in graphs of their own, two deep, with names that torch keeps for itself."""
    one = Numbers(seed)
    inner = chain((16,), one.affine(12, 16), fire_lif((12,), 4 * DT, 4.0))
    block = nir.NIRGraph(
        {
            "input": nir.Input(np.array([16])),
            "layer": inner,
            "float": nir.Scale(np.linspace(0.5, 1.5, 12)),
            "output": nir.Output(np.array([12])),
        },
        [("input", "layer"), ("layer", "float"), ("float", "output")],
        type_check=False,
    )
    nodes = {
        "input": nir.Input(np.array([10])),
        "type": one.affine(16, 10),
        "fires": nir.Threshold(np.linspace(0.2, 0.8, 16)),
        "block": block,
        "readout": one.affine(3, 12),
        "output": nir.Output(np.array([3])),
    }
    return nir.NIRGraph(nodes, list(pairwise(nodes)), type_check=False)


def line(seed=9):
    """A network along a line: Conv1d with stride and 'same' padding."""
    one = Numbers(seed)
    return chain(
        (3, 20),
        nir.Conv1d(20, one.weight(5, 3, 4), 2, 1, 1, 1, one.bias(5)),
        fire_lif((5, 10), 2 * DT, 2.0, 0.6),
        nir.Conv1d(10, one.weight(4, 5, 3), 1, "same", 1, 1, one.bias(4)),
        fire_if((4, 10), 1 / DT),
        nir.Flatten({"input": np.array([4, 10])}, 0),
        one.affine(3, 40),
    )


def cases():
    """Imports that must give the same network, level by level."""
    hard, soft = {"dt": DT, "reset": "zero"}, {"dt": DT, "reset": "subtract"}
    spikes = Grid((1,), 15, 0.0, 1.0, 50, static=False)
    fine = {**hard, "leak_terms": 6, "leak_error": 1e-4}
    yield Case("nir", "paper's LIF", paper_lif(), spikes, fine)
    rockpool = {**fine, "method": "exponential"}
    yield Case("nir", "paper's LIF of Rockpool", paper_lif(0.04, 24.019737), spikes, rockpool)
    frames = Grid((2, 18, 18), 1, 0.0, 1.0, 5, static=False)
    yield Case("nir", "paper's CNN of sinabs", paper_cnn(), frames, {"dt": 1.0, "reset": "subtract"})
    yield Case("nir", "CNN that fires at", paper_cnn(), frames, {"dt": 1, "reset": "zero", "fires": "at"})
    features = Grid((12,), 7, 0.0, 1.0, 6)
    yield Case("nir", "snnTorch's MLP", snntorch_mlp(0.875), features, soft)
    yield Case(
        "nir", "time constants of channels", taus_of_channels(), Grid((2, 8, 8), 15, 0.0, 1.0, 5), soft
    )
    yield Case("nir", "SpikingJelly's CNN", spikingjelly_cnn(), Grid((2, 8, 8), 15, 0.0, 1.0, 4), hard)
    ten = Grid((10,), 3, 0.0, 1.5, 5)
    for kind, readout in (("LI", "last"), ("LI", "mean"), ("I", "last"), ("I", "mean")):
        options = {**soft, "readout": readout}
        yield Case("nir", f"{kind} read at its {readout}", integrator(kind), ten, options)
    yield Case("nir", "branches", residual(), Grid((2, 6, 6), 4, 0.0, 1.0, 3), {"dt": 1, "reset": "subtract"})
    yield Case("nir", "nested graphs", nested(), ten, soft)
    yield Case("nir", "a line", line(), Grid((3, 1, 20), 7, 0.0, 1.0, 4), soft)
