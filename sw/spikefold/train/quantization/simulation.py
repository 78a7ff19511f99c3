"""A model's forward pass with the rounding of its integer network, layer by layer."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial, reduce
from typing import cast

import torch
from torch import Tensor

from spikefold.fold.parameters import SynapseLayer, batch_norm
from spikefold.fold.walk import Walk
from spikefold.nn import Conv2d, Node, SpikingNeuron, graph
from spikefold.nn.binary import effective_weight
from spikefold.quantize.quantizer import quantize
from spikefold.quantize.rounding import pass_through
from spikefold.quantize.scales import Method
from spikefold.train.quantization.checks import check_paths
from spikefold.train.quantization.neurons import simulate, snap
from spikefold.train.quantization.rounded import Rounded

Value = list[Tensor] | Tensor
"""Spikes [T, B, ...], one for each scale added up, the first with what silence is worth; or a current."""


class Simulation:
    """Computes what a model's integer network would, with the model's parameters as they are at each call.

    `forwards` are what stands for `forward` of the layers it changes: those with synapses take the members of
    a sum of spikes one by one, neurons a current. `trained` tells whether gradients were asked for since.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        bits: int | Mapping[str, int],
        identity_bits: int,
        method: Method,
        leak_terms: int,
        membrane_bits: int | None,
    ) -> None:
        self._nodes, self.trained = graph(model), False
        self._reads = Counter(source for node in self._nodes for source in node.inputs)
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
        self._walk = partial(Walk, self._nodes, device=device)
        self._options = (bits, identity_bits, method, membrane_bits is not None)
        walk = self._walk()
        folded = walk.network("network")
        network, _ = quantize(
            folded,
            weight_bits=bits,
            method=method,
            leak_terms=leak_terms,
            membrane_bits=membrane_bits,
            identity_bits=identity_bits,
        )
        self._neurons = {}
        for real, whole in zip(folded.populations, network.populations, strict=True):
            check_paths(walk.paths[real.name], [p.bits for p in whole.projections])
            self._neurons[real.modules[-1]] = whole.neuron
        self._now = Rounded(walk, *self._options)
        self.forwards: dict[torch.nn.Module, Callable[..., Tensor]] = {}
        for node in self._nodes:
            if isinstance(node.module, SynapseLayer):
                self.forwards[node.module] = partial(self._synapses, node)
            elif isinstance(node.module, SpikingNeuron):
                self.forwards[node.module] = partial(self._neuron, node)

    def __call__(self, x: Tensor) -> Tensor:
        """Run the model on a batch, as its `forward` does."""
        self.trained |= self._nodes[0].module.training and torch.is_grad_enabled()
        self._now = Rounded(self._walk(), *self._options)
        waiting, values = Counter(self._reads), dict[str, Value]()
        for node in self._nodes:
            values[node.name] = self._visit(node, [values[source] for source in node.inputs] or [x])
            for source in node.inputs:
                waiting[source] -= 1
                if not waiting[source]:
                    del values[source]
        return cast(Tensor, values[self._nodes[-1].name])

    def weights(self, name: str) -> list[Tensor]:
        """Rounded weights of a dense layer or convolution, for each scale that it reads.

        (T or 1, out, in / groups, ...) each, in place of the layer's own: see `Rounded.weights`.
        """
        return next(found for (reader, _), found in self._now.weights.items() if reader == name)

    def _visit(self, node: Node, given: list[Value]) -> Value:
        value, module = given[0], node.module
        if node.kind == "input":
            return [module(value)]
        if node.kind == "add":
            return self._add(node, given)
        if isinstance(module, SynapseLayer):
            return cast(Tensor, module(*value))
        if isinstance(module, SpikingNeuron):
            return [module(self._current(node, node.inputs[0], value))]
        if node.kind == "readout":
            return self._readout(node, value)
        if isinstance(value, Tensor):
            return cast(Tensor, module(value))
        if node.kind == "batch_norm":
            return self._normed(node, value)
        if node.kind == "dropout" and len(value) > 1:
            mask = module(torch.ones_like(value[0]))
            return [x * mask for x in value]
        return [module(x) for x in value]

    def _synapses(self, node: Node, *members: Tensor) -> Tensor:
        """Currents of a dense layer or convolution: what stands for its `forward`."""
        layer = cast(SynapseLayer, node.module)
        latent, connection = effective_weight(layer), (node.name, node.inputs[0])
        pairs = zip(members, self._now.weights[connection], strict=True)
        total = reduce(torch.add, (_apply(layer, x, pass_through(latent, weight)) for x, weight in pairs))
        axes = (1,) * (total.dim() - 3)
        if layer.bias is not None:
            total = total + layer.bias.reshape(-1, *axes)
        error = self._now.errors.get(connection)
        return total if error is None else total + error.to(total).reshape(len(error), 1, -1, *axes)

    def _neuron(self, node: Node, current: Tensor) -> Tensor:
        """Spikes of a neuron layer: what stands for its `forward`."""
        neuron, whole = cast(SpikingNeuron, node.module), self._neurons[node.name]
        if neuron.training and not getattr(neuron, "initialised", True):
            return type(neuron).forward(neuron, current)  # its first batch, which sets its scales
        neuron._check_shape(current)
        assert whole is not None
        return simulate(neuron, current, self._now.units[node.name], whole)

    def _readout(self, node: Node, value: Value) -> Tensor:
        own, module = self._now.units[node.name], node.module
        units, unit = snap(self._current(node, node.inputs[0], value), own), float(own.unit[0])
        logits = module(units * unit)  # a loss of single steps sees what the layer is given
        return pass_through(logits, type(module).forward(module, units.detach()) * unit)

    def _add(self, node: Node, given: list[Value]) -> Value:
        pairs = list(zip(node.inputs, given, strict=True))
        if any(isinstance(value, Tensor) for value in given):
            return cast(Tensor, node.module(*(self._current(node, giver, value) for giver, value in pairs)))
        places = self._now.spikes[node.name].places
        if not any(map(any, places)):
            return [node.module(*(reduce(torch.add, value) for value in given))]
        parts: dict[int, list[Tensor]] = {}
        for (giver, value), own in zip(pairs, places, strict=True):
            for k, (x, place) in enumerate(zip(value, own, strict=True)):
                shift = self._shift(giver, x) if k == 0 and place > 0 else None
                if shift is not None:  # the first of all takes what silence is worth
                    x = x - shift
                    parts[0].append(shift)
                parts.setdefault(place, []).append(x)
        return [reduce(torch.add, parts[place]) for place in range(len(parts))]

    def _current(self, node: Node, giver: str, value: Value) -> Tensor:
        """What a layer reads of another as a current; spikes become one by the identity synapses there."""
        if isinstance(value, Tensor):
            return value
        parts = []
        for x, weight in zip(value, self._now.weights[node.name, giver], strict=False):
            weight = weight.reshape(len(weight), 1, -1, *(1,) * (x.dim() - 3)).to(x)
            parts.append(x * weight)
            if len(parts) == 1 and (shift := self._shift(giver, x)) is not None:
                parts.append(shift * (1 - weight))  # the bias holds it as it is, without rounding
        return reduce(torch.add, parts)

    def _normed(self, node: Node, value: list[Tensor]) -> list[Tensor]:
        """After a batch norm: the first takes all but what the gain makes of the others."""
        total, (_, *others) = reduce(torch.add, value), value
        normed = cast(Tensor, node.module(total))
        gain = self._gain(node, total.detach()) if others else total
        rest = [x * gain for x in others]
        return [reduce(torch.sub, rest, normed), *rest]

    def _gain(self, node: Node, x: Tensor) -> Tensor:
        """The gain of a batch norm on `x`: of these statistics in training, else of its own."""
        norm = cast(torch.nn.BatchNorm1d, node.module)
        if norm.training:
            gain = torch.rsqrt(x.transpose(0, 2).flatten(1).var(1, correction=0) + norm.eps)
            gain = gain if norm.weight is None else gain * norm.weight.detach()
        else:
            gain, _, _ = batch_norm(node, x.device)
        return gain.to(x).reshape(-1, *(1,) * (x.dim() - 3))

    def _shift(self, name: str, x: Tensor) -> Tensor | None:
        """What silent spikes of a layer are worth; broadcasts over `x` [T, B, channels, ...]."""
        spikes = self._now.spikes[name]
        if not bool(spikes.shift.any()):
            return None
        return spikes.shift.expand(spikes.map).reshape(spikes.shape).to(x)


def _apply(layer: SynapseLayer, x: Tensor, weight: Tensor) -> Tensor:
    """Currents [T, B, ...] of values [T, B, ...] with weights (T or 1, targets, ...), without a bias."""
    if not isinstance(layer, Conv2d):
        return torch.nn.functional.linear(x, weight[0]) if len(weight) == 1 else x @ weight.transpose(1, 2)

    def conv(maps: Tensor, kernels: Tensor) -> Tensor:
        return torch.nn.functional.conv2d(maps, kernels, None, layer.stride, layer.padding, 1, layer.groups)

    if len(weight) == 1:
        y = conv(x.flatten(0, 1), weight[0])
        return y.reshape(*x.shape[:2], *y.shape[1:])
    return torch.stack([conv(step, w) for step, w in zip(x, weight, strict=True)])
