"""Walk a model's layers in order and fold them, population by population."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import cast, get_args

import torch

from spikefold.errors import InputError, ModelError
from spikefold.fold.composition import Pooling
from spikefold.fold.currents import Current, Path, add_currents, as_current, depthwise
from spikefold.fold.folded import FoldedIdentity, FoldedNetwork, FoldedNeuron, FoldedPopulation
from spikefold.fold.inputs import framed, read_input
from spikefold.fold.parameters import batch_norm, check_finite, geometry, spiking_neuron
from spikefold.fold.pools import average_currents, average_spikes, max_spikes, unpeaked
from spikefold.fold.reading import read_conv, read_dense
from spikefold.fold.spikes import LayerPool, Member, Spikes, slide
from spikefold.fold.stages import Stages
from spikefold.fold.traces import Origin
from spikefold.ir.maps import Pair
from spikefold.ir.stages import INPUT
from spikefold.nn import AvgPool2d, Conv2d, Input, MaxPool2d, Node, SpikingNeuron, graph
from spikefold.nn.binary import BinarySynapses
from spikefold.nn.neurons.leak import leak_text
from spikefold.nn.reparameterize import reparameterize

_CPU = torch.device("cpu")
_TRANSPARENT = ("dropout", "identity", "flatten")

Value = Spikes | Current


def fold(model: torch.nn.Module, name: str = "network", pooling: Pooling = "auto") -> FoldedNetwork:
    """Fold a trained model of `spikefold.nn` layers; the model is not changed.

    Batch norm (eval statistics), the scales of neurons and the input's encoding and normalisation go
    into weights, biases and thresholds ("Fold" of docs/numerics.md); all in float64, on the CPU. A source
    whose scale differs between time steps gives T weight sets. Binary layers keep weights of one magnitude
    per target: their alpha per output channel is a gain, their alpha per input channel goes into the
    thresholds of the ReverB neurons they read, whose levels then lie elsewhere (`nn.reparameterize`). An
    input decay goes into weights and bias.

    Parameters
    ----------
    model
        `Input`, then dense layers, convolutions, batch norms, pools, sums and neurons that read each
        other in any acyclic way, and at last `Readout`; dropout and identity layers anywhere. Between
        two dense layers or convolutions there is a neuron. What these give (a current) is read once.
    name
        Name of the network: lower case letters, digits and underscores.
    pooling
        What becomes of average pools of spikes: "unit", "compose" (where that is exact) or "auto", see
        `spikefold.fold.composition.is_composed`.

    Raises
    ------
    ModelError
        If layers do not fit together, a network cannot be folded exactly, or a parameter is NaN,
        infinite or (scales) not above 0. The message names the layer.
    InputError
        If `pooling` is none of these.
    """
    return Walk(graph(_without_input_alphas(model)), pooling).network(name)


def _without_input_alphas(model: torch.nn.Module) -> torch.nn.Module:
    """The model with input-side alphas of binary layers in the thresholds of the neurons they read."""
    layers = (module for module in model.modules() if isinstance(module, BinarySynapses))
    return reparameterize(model) if any(layer.alpha_mode == "input" for layer in layers) else model


class Walk:
    """Visits the layers of a model, as `nn.graph` gives them, in order and keeps the value that each gives.

    `paths` tells afterwards, by population, what its projections were made of, and `values`, by layer that
    gives spikes, these spikes. All tensors lie on `device`.
    """

    def __init__(self, nodes: Sequence[Node], pooling: Pooling = "auto", device: torch.device = _CPU) -> None:
        if pooling not in get_args(Pooling):
            raise InputError(f"Pooling must be auto, unit or compose, not {pooling!r}")
        self._pooling, self._nodes, self._device = pooling, nodes, device
        first = self._nodes[0]
        if first.kind != "input":
            raise ModelError(
                f"Model must begin with spikefold.nn.Input, not with {first.name!r} ({first.kind})"
            )
        self._order = {node.name: place for place, node in enumerate(self._nodes)}
        self._reads = Counter(source for node in self._nodes for source in node.inputs)
        self._encoding, spikes = read_input(first, device)
        self._steps = cast(Input, first.module).steps
        self._stages = Stages(self._encoding.levels)
        self.values: dict[str, Value] = {first.name: spikes}
        for node in self._nodes[1:]:
            self._visit(node)
        if self._nodes[-1].kind != "readout":
            raise ModelError("Model must end with spikefold.nn.Readout, but has none")

    @property
    def paths(self) -> dict[str, tuple[Path, ...]]:
        """What the projections of each population were made of, in their order."""
        return self._stages.paths

    def network(self, name: str) -> FoldedNetwork:
        """Return the whole network."""
        return FoldedNetwork(self._encoding, self._steps, self._stages.all, name)

    def _visit(self, node: Node) -> None:
        if node.kind == "input":
            raise ModelError(f"Model must hold one Input, its first layer, but {node.name!r} is another")
        if not node.inputs:
            raise ModelError(
                f"Layer {node.name!r} must read layers after {self._nodes[0].name!r}, not the model's input"
            )
        values = [self._read(node, source) for source in node.inputs]
        if isinstance(node.module, SpikingNeuron):
            self.values[node.name] = self._neuron(node, values[0])
        elif node.kind == "add":
            self.values[node.name] = self._add(node, values)
        elif node.kind == "readout":
            self._readout(node, values[0])
        elif node.kind in ("dropout", "identity"):
            self.values[node.name] = values[0]
        else:
            layer = node.kind.removeprefix("binary_")
            self.values[node.name] = getattr(self, f"_{layer}")(node, values[0])

    def _read(self, node: Node, source: str) -> Value:
        if source not in self.values:
            raise ModelError(f"Readout must be the last layer, but {node.name!r} follows it")
        value = self.values[source]
        if isinstance(value, Current) and self._reads[source] > 1:
            names = ", ".join(repr(other.name) for other in self._nodes if source in other.inputs)
            raise ModelError(
                f"Layer {source!r} gives a current, which must be read once, not by {names}; a residual "
                "stream of membrane potentials (MS-ResNet) cannot be folded: add spikes to currents (as "
                "nn.models.preact_resnet18 does) or spikes to spikes (sew_resnet18)"
            )
        if isinstance(value, Current):
            del self.values[source]  # a copy of many weights, which nothing else reads
        return value

    def _dense(self, node: Node, value: Value) -> Current:
        return read_dense(node, self._spikes(node, "Dense layer", value))

    def _conv(self, node: Node, value: Value) -> Current:
        spikes = self._spikes(node, "Convolution", value)
        _, _, padding = geometry(cast(Conv2d, node.module))
        if padding != (0, 0) and bool(spikes.shift.any()):
            what = f"Convolution {node.name!r}"
            self._encoding, spikes = framed(what, self._encoding, spikes, padding, self._alone(node))
            padding = (0, 0)
        return read_conv(node, spikes, padding)

    def _alone(self, node: Node) -> bool:
        """Whether nothing but `node` sees the input."""
        while node.inputs:
            if self._reads[node.inputs[0]] > 1:
                return False
            node = self._nodes[self._order[node.inputs[0]]]
        return True

    def _batch_norm(self, node: Node, value: Value) -> Value:
        gain, mean, offset = batch_norm(node, self._device)
        self._check_channels(node, value, len(gain))
        if isinstance(value, Spikes):
            return value.normed(node.name, node.module, gain, mean, offset)
        if value.peaks and bool((gain < 0).any()):
            raise ModelError(
                f"Batch norm {node.name!r} must not have negative gains after the max pool "
                f"{value.peaks[-1].layer!r} of currents; put the pool after the neuron"
            )
        return value.normed(node.name, gain, mean, offset)

    def _add(self, node: Node, values: list[Value]) -> Value:
        for value in values[1:]:
            if value.shape != values[0].shape:
                raise ModelError(
                    f"Layer {node.name!r} (add) must add values of one shape, not {values[0].shape} "
                    f"and {value.shape}"
                )
        spikes = [value for value in values if isinstance(value, Spikes)]
        if len(spikes) < len(values):
            currents = map(partial(self._current, node), node.inputs, values)
            return add_currents(node.name, [unpeaked(node.name, current) for current in currents])
        for value in spikes[1:]:
            if value.map != spikes[0].map:
                raise ModelError(
                    f"Layer {node.name!r} (add) must add flattened maps of one shape, not {spikes[0].map} "
                    f"and {value.map}"
                )
        return self._stages.add(node.name, spikes)

    def _flatten(self, node: Node, value: Value) -> Value:
        if isinstance(value, Spikes):
            return replace(value, flat=True)
        if math.prod(unpeaked(node.name, value).shape[1:]) > 1:
            raise ModelError(
                f"Layer {node.name!r} (flatten) must read spikes, or currents of one position, not "
                f"currents of shape {value.shape}; put it after the neuron"
            )
        return replace(value, map=value.map[:1])

    def _global_avg_pool(self, node: Node, value: Value) -> Value:
        whole = cast(Pair, value.shape[1:])
        return self._average(node, value, whole, whole, (0, 0))

    def _avg_pool(self, node: Node, value: Value) -> Value:
        layer = cast(AvgPool2d, node.module)
        return self._average(node, value, layer.kernel_size, layer.stride, layer.padding)

    def _average(self, node: Node, value: Value, kernel: Pair, stride: Pair, padding: Pair) -> Value:
        what = f"Average pool {node.name!r}"
        pool = LayerPool(node.name, slide(what, value.shape, kernel, stride, padding))
        if isinstance(value, Current):
            return average_currents(pool, value)
        together = self._steps if self._encoding.static else 1
        readers = self._readers(node)
        return average_spikes(pool, value, self._stages, readers, together, self._pooling)

    def _readers(self, node: Node) -> list[Node]:
        """The layers that read what `node` gives, past those that change no values."""
        found = []
        for reader in self._nodes:
            if node.name in reader.inputs:
                found += self._readers(reader) if reader.kind in _TRANSPARENT else [reader]
        return found

    def _max_pool(self, node: Node, value: Value) -> Value:
        layer = cast(MaxPool2d, node.module)
        what = f"Max pool {node.name!r}"
        pool = LayerPool(node.name, slide(what, value.shape, layer.kernel_size, layer.stride, layer.padding))
        if isinstance(value, Current):
            return replace(value, peaks=(*value.peaks, pool))
        return max_spikes(pool, value, self._stages)

    def _neuron(self, node: Node, value: Value) -> Spikes:
        neuron = cast(SpikingNeuron, node.module)
        current = self._current(node, node.inputs[0], value).scaled(neuron.input_gain)
        self._check_channels(node, current, neuron.channels)
        folded, scale = spiking_neuron(node, self._steps, self._device)
        if current.peaks and self._steps > 1 and any(folded.leaks):
            raise ModelError(
                f"Max pool {current.peaks[-1].layer!r} of currents must come after the neuron {node.name!r} "
                f"where membranes last from step to step (T = {self._steps}, leak {leak_text(folded.leak)})"
            )
        name = self._stages.next_name("layer", FoldedPopulation)
        self._close(name, folded, node, current)
        ones = (1,) * (len(current.map) - 1)
        member = Member(name, scale.reshape(*scale.shape, *ones), (Origin(neuron),))
        spikes = Spikes(current.map, (member,), scale.new_zeros(neuron.channels, *ones))
        for pool in current.peaks:
            spikes = self._stages.pool(spikes, "max", pool)
        return spikes

    def _readout(self, node: Node, value: Value) -> None:
        current = unpeaked(node.name, self._current(node, node.inputs[0], value))
        if math.prod(current.map[1:]) != 1:
            raise ModelError(
                f"Readout {node.name!r} must read one position, not maps of {current.map[1:]}; "
                "put spikefold.nn.GlobalAvgPool and Flatten before it"
            )
        self._close("readout", None, node, current)

    def _close(self, name: str, neuron: FoldedNeuron | None, node: Node, current: Current) -> None:
        """Make a population of what waited for it."""
        paths = current.paths
        if all(isinstance(path.projection, FoldedIdentity) for path in paths):
            paths = (depthwise(paths[0]), *paths[1:])
        projections = tuple(path.projection for path in paths)
        check_finite(node.name, *(projection.weight for projection in projections), current.bias)
        modules = tuple(sorted({*current.modules, node.name}, key=self._order.__getitem__))
        self._stages.populate(FoldedPopulation(name, projections, current.bias, neuron, modules), paths)

    def _spikes(self, node: Node, kind: str, value: Value) -> Spikes:
        if isinstance(value, Current):
            raise ModelError(
                f"{kind} {node.name!r} must follow the input or a neuron, but follows the currents of "
                f"{value.modules[-1]!r}; put a neuron between them or make them one layer"
            )
        return value

    def _current(self, node: Node, giver: str, value: Value) -> Current:
        """What a neuron, the readout or a sum of currents reads; spikes become identity synapses."""
        if isinstance(value, Current):
            return value
        what = f"Layer {node.name!r} ({node.kind})"
        if len(value.map) != 3 and any(member.source == INPUT for member in value.members):
            raise ModelError(
                f"{what} must follow a dense layer or a convolution, but reads the input of shape "
                f"{value.shape}"
            )
        return as_current(what, (node.name, giver), value)

    def _check_channels(self, node: Node, value: Value, channels: int) -> None:
        if channels != value.shape[0]:
            raise ModelError(
                f"Layer {node.name!r} must have {value.shape[0]} channels, as many as come, not {channels}"
            )
