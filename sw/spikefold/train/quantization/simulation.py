"""A model's forward pass with the rounding of its integer network, layer by layer."""

import math
from collections import Counter
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from spikefold.errors import ModelError
from spikefold.fold.folded import Reals
from spikefold.fold.mathematics import fold_shift
from spikefold.nn import Conv2d, Node, SpikingNeuron
from spikefold.nn.binary import effective_weight
from spikefold.train.quantization.neurons import simulate, snap
from spikefold.train.quantization.plan import Plan
from spikefold.train.quantization.silence import per_source, silence, source_sums
from spikefold.train.quantization.snapshot import Snapshot
from spikefold.train.quantization.spikes import Key, Spikes, emitter_key
from spikefold.train.quantization.straight import straight_through
from spikefold.train.quantization.synapses import apply

Value = Spikes | Tensor
"""Spikes, or a current [T, B, ...]."""


class Simulation:
    """Computes what a model's integer network would, with the model's parameters as they are at each call.

    `forwards` are what stands for `forward` of the layers it changes: those with synapses take the members of
    a sum of spikes one by one, neurons a current.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan, self._nodes = plan, plan.nodes
        self._reads = Counter(source for node in self._nodes for source in node.inputs)
        self.forwards: dict[torch.nn.Module, Callable[..., Tensor]] = {}
        for node in self._nodes:
            if node.name in plan.synapses:
                self.forwards[node.module] = partial(self._synapses, node)
            elif isinstance(node.module, SpikingNeuron):
                self.forwards[node.module] = partial(self._neuron, node)
        self._refresh()

    def __call__(self, x: Tensor) -> Tensor:
        """Run the model on a batch, as its `forward` does."""
        self._refresh()
        waiting, values = Counter(self._reads), {}
        for node in self._nodes:
            given = [values[source] for source in node.inputs] or [x]
            values[node.name] = self._visit(node, given)
            for source in node.inputs:
                waiting[source] -= 1
                if not waiting[source]:
                    del values[source]
        return values[self._nodes[-1].name]

    def weights(self, name: str) -> list[Tensor]:
        """Rounded weights of a dense layer or convolution, for each scale that it reads.

        (T or 1, out, in / groups, ...) each. They stand for the layer's own weight: what is folded into them
        is taken out again.
        """
        grid = self._grids[self._plan.ends[name]]
        return [grid.weights[one] for one in self._plan.synapses[name]]

    @torch.no_grad()
    def _refresh(self) -> None:
        """Round the parameters as they are now."""
        self._snapshot = Snapshot(self._nodes, self._plan.steps)
        self._silence = silence(self._nodes, self._snapshot)
        self._grids = {
            name: population.grid(self._snapshot, self._silence)
            for name, population in self._plan.populations.items()
        }

    def _visit(self, node: Node, given: list[Value]) -> Value:
        value, module = given[0], node.module
        if node.kind == "input":
            return Spikes({((emitter_key(module), ()), 1): module(value)})
        if node.kind == "add":
            return self._add(node, given)
        if node.name in self._plan.synapses:
            by_source = {source: member for (source, _), member in value.members.items()}
            return module(*(by_source[one.key[0]] for one in self._plan.synapses[node.name]))
        if isinstance(module, SpikingNeuron):
            return Spikes({((emitter_key(module), ()), 1): module(self._current(node, value))})
        if node.kind == "readout":
            grid = self._grids[node.name]
            units, unit = snap(self._current(node, value), grid), float(grid.unit[0])
            logits = module(units * unit)  # a loss of single steps sees what the layer is given
            return straight_through(logits, type(module).forward(module, units.detach()) * unit)
        if isinstance(value, Tensor):
            return module(value)
        if node.kind == "batch_norm":
            return self._normed(node, value)
        return self._kept(node, value)

    def _synapses(self, node: Node, *members: Tensor) -> Tensor:
        """Currents of a dense layer or convolution: what stands for its `forward`."""
        layer, weights = node.module, self.weights(node.name)
        latent, total = effective_weight(layer), None
        for x, weight in zip(members, weights, strict=True):
            current = apply(layer, x, straight_through(latent, weight))
            total = current if total is None else total + current
        axes = (1,) * (total.dim() - 3)
        if layer.bias is not None:
            total = total + layer.bias.reshape(-1, *axes)
        shift = self._silence.read.get(node.name)
        if shift is None:
            return total
        # The first member holds the value of silence, here as in the fold.
        error = _shift_error(layer, latent, weights[0], shift)
        return total + torch.from_numpy(error).to(total).reshape(len(error), 1, -1, *axes)

    def _neuron(self, node: Node, current: Tensor) -> Tensor:
        """Spikes of a neuron layer: what stands for its `forward`."""
        neuron = node.module
        if neuron.training and not getattr(neuron, "initialised", True):
            return type(neuron).forward(neuron, current)  # its first batch, which sets its scales
        neuron._check_shape(current)
        whole = self._plan.populations[node.name].whole.neuron
        return simulate(neuron, current, self._grids[node.name], whole)

    def _add(self, node: Node, given: list[Value]) -> Value:
        if any(isinstance(value, Tensor) for value in given):
            return node.module(*(self._current(node, value, k) for k, value in enumerate(given)))
        if len({key for value in given for key in value.members}) == 1:
            (key,) = given[0].members
            return Spikes({key: node.module(*(value.total for value in given))})
        total = given[0]
        for name, value in zip(node.inputs[1:], given[1:], strict=True):
            first, other = next(iter(total.members)), next(iter(value.members))
            total = total.plus(value)
            if first != other and (shift := self._shift(name, total.members[other])) is not None:
                total.members[first] = total.members[first] + shift
                total.members[other] = total.members[other] - shift
        return total

    def _current(self, node: Node, value: Value, k: int = 0) -> Tensor:
        """A current; spikes, the `k`-th that a layer reads, become one by the identity synapses there."""
        if isinstance(value, Tensor):
            return value
        end = self._plan.ends[node.name]
        parts = []
        for key, x in value.members.items():
            weight = self._grids[end].weights[self._plan.populations[end].identity(key)]
            weight = weight.reshape(len(weight), 1, -1, *(1,) * (x.dim() - 3)).to(x)
            parts.append(x * weight)
            if len(parts) == 1 and (shift := self._shift(node.inputs[k], x)) is not None:
                parts.append(shift * (1 - weight))
        return sum(parts[1:], parts[0])

    def _normed(self, node: Node, spikes: Spikes) -> Spikes:
        """After a batch norm: the first takes all but what the gain makes of the others."""
        norm = node.module
        total = norm(spikes.total)
        first, *others = spikes.members
        gain = self._gain(node, spikes.total.detach()) if others else None
        normed = {key: spikes.members[key] * gain for key in others}
        for value in normed.values():
            total = total - value
        return Spikes({_behind(first, norm): total} | {_behind(k, norm): v for k, v in normed.items()})

    def _gain(self, node: Node, x: Tensor) -> Tensor:
        """The gain of a batch norm on `x`: of these statistics in training, else of its own."""
        norm, axes = node.module, (1,) * (x.dim() - 3)
        if not norm.training:
            gain = torch.from_numpy(self._snapshot.norm(norm)[0]).to(x)
        else:
            variance = x.transpose(0, 2).flatten(1).var(1, correction=0)
            gain = torch.rsqrt(variance + norm.eps)
            gain = gain if norm.weight is None else gain * norm.weight.detach()
        return gain.reshape(-1, *axes)

    def _kept(self, node: Node, spikes: Spikes) -> Spikes:
        """After a layer that acts on each channel alone: a pool, `Flatten`, dropout."""
        module, first = node.module, next(iter(spikes.members.values()))
        if len(spikes.members) == 1 or node.kind in ("flatten", "identity"):
            return spikes.mapped(module, _positions(node, first))
        if node.kind == "dropout":
            mask = module(torch.ones_like(first))
            return spikes.mapped(lambda x: x * mask)
        if node.kind == "max_pool":
            raise ModelError(
                f"Max pool {node.name!r} must read spikes of one scale, not a sum of {len(spikes.members)} "
                "scales; tie those of the neurons that are added up with spikefold.nn.tie_scales"
            )
        return spikes.mapped(module, _positions(node, first))

    def _shift(self, name: str, x: Tensor) -> Tensor | None:
        """What silent spikes of a layer are worth; broadcasts over `x` [T, B, channels, ...]."""
        shift = self._silence.shifts[name]
        if shift is None:
            return None
        if x.dim() == 3:
            shift = per_source(shift, x.shape[2])
        elif shift.shape[1] > 1:
            shift = shift.reshape(x.shape[2:])
        else:
            shift = shift[:, :, None]
        return torch.from_numpy(shift.copy()).to(x)


def _behind(key: Key, norm: torch.nn.Module) -> Key:
    (emitter, norms), positions = key
    return (emitter, (*norms, norm)), positions


def _positions(node: Node, x: Tensor) -> int:
    """Positions of an average pool's windows over maps; 1 of other layers."""
    if node.kind == "avg_pool":
        return math.prod(node.module.kernel_size)
    return math.prod(x.shape[3:]) if node.kind == "global_avg_pool" else 1


def _shift_error(layer: torch.nn.Module, latent: Tensor, rounded: Tensor, shift: Reals) -> Reals:
    """What silent sources add to the currents with the latent weights, less that with rounded ones.

    (sets, out). The integer network's bias has the first, the layer computes the second.
    """
    groups = layer.groups if isinstance(layer, Conv2d) else 1
    real = fold_shift(source_sums(latent), shift, groups)
    return np.stack([real - fold_shift(source_sums(weight), shift, groups) for weight in rounded])
