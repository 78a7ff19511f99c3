"""One pass of samples through a trained network, layer by layer, keeping statistics and no activations."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikefold.analysis.levels import LevelStatistics
from spikefold.analysis.membranes import MembraneRecorder, MembraneStatistics
from spikefold.analysis.operations import SynapseCount, Weighted, macs_of, reach_of
from spikefold.analysis.sources import Source, added
from spikefold.errors import ModelError
from spikefold.nn import AvgPool2d, GlobalAvgPool, Input, Node, SpikingNeuron, graph


@dataclass
class NeuronRecord:
    """What one neuron layer did: ``neurons`` of them, how often each level [T, D + 1], and its membranes."""

    neuron: SpikingNeuron
    neurons: int = 0
    counts: NDArray[np.int64] = field(init=False)
    _membranes: MembraneRecorder = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros((self.neuron.steps, self.neuron.levels + 1), np.int64)
        self._membranes = MembraneRecorder(self.neuron.steps)

    def update(self, current: Tensor, levels: Tensor) -> None:
        """Take in a batch."""
        self.neurons = levels[0, 0].numel()
        for t, n in enumerate(levels):
            seen = torch.bincount(n.flatten().to(torch.int64), minlength=self.neuron.levels + 1)
            self.counts[t] += seen.numpy(force=True)
        self._membranes.update(self.neuron, current, levels)

    @property
    def levels(self) -> LevelStatistics:
        """Statistics of the levels."""
        return LevelStatistics(self.counts)

    @property
    def membranes(self) -> MembraneStatistics:
        """Statistics of the membranes before firing."""
        return self._membranes.result()


class Recording:
    """Runs batches through a network of `spikefold.nn` layers and keeps count.

    The network is read as a graph and its layers are called one by one, in eval mode, so nothing is attached
    to it and nothing is left behind.

    Parameters
    ----------
    model
        The network, in eval mode.

    Raises
    ------
    ModelError
        If it is no graph of known layers that begins with `Input`, has no neurons, or neurons without levels.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._nodes = graph(model)
        first = self._nodes[0].module
        if not isinstance(first, Input):
            raise ModelError(f"Model must begin with spikefold.nn.Input, not with {self._nodes[0].name!r}")
        self.input = first
        neurons = {n.name: n.module for n in self._nodes if isinstance(n.module, SpikingNeuron)}
        if not neurons:
            raise ModelError("Model must have spiking neurons to be analysed, but has none")
        for name, neuron in neurons.items():
            if not isinstance(neuron.levels, int):
                raise ModelError(
                    f"Neurons {name!r} must emit integer levels to be analysed, not real values; "
                    "give them a number of bits"
                )
        self.levels = max(neuron.levels for neuron in neurons.values())
        self.neurons = {name: NeuronRecord(neuron) for name, neuron in neurons.items()}
        self.synapses: dict[str, SynapseCount] = {}
        self.samples = 0
        self.device = next(model.parameters()).device
        self._last_reader = {source: node.name for node in self._nodes for source in node.inputs}

    def run(self, x: Tensor) -> Tensor:
        """Record a batch as the network's `Input` takes it; return the logits [B, classes]."""
        values: dict[str, Tensor] = {}
        sources: dict[str, list[Source] | None] = {}
        with torch.no_grad():
            for node in self._nodes:
                read = [values[name] for name in node.inputs]
                values[node.name] = node.module(*(read or [x]))
                sources[node.name] = self._visit(
                    node, x, read, [sources[name] for name in node.inputs], values[node.name]
                )
                for name in node.inputs:
                    if self._last_reader[name] == node.name and name in values:
                        del values[name], sources[name]
        self.samples += values[self._nodes[-1].name].shape[0]
        return values[self._nodes[-1].name]

    def _visit(
        self,
        node: Node,
        x: Tensor,
        read: Sequence[Tensor],
        sources: Sequence[list[Source] | None],
        output: Tensor,
    ) -> list[Source] | None:
        """Count what a layer does and return its output as spikes, or None for a current."""
        module = node.module
        if isinstance(module, Input):
            return [_input(module, x, output)]
        if isinstance(module, SpikingNeuron):
            return [self._fire(node.name, module, read[0], output)]
        if node.kind == "add":
            return self._add(node, sources, output)
        if sources[0] is None:
            return None
        if isinstance(module, Weighted):
            self._weigh(node.name, module, sources[0], output)
            return None
        return _through(node, sources[0])

    def _fire(self, name: str, neuron: SpikingNeuron, current: Tensor, output: Tensor) -> Source:
        scale = neuron.scale.detach().reshape(neuron.steps, 1, -1, *(1,) * (output.dim() - 3))
        levels = torch.round(output / scale)
        self.neurons[name].update(current, levels)
        return Source(levels, neuron.levels, _unit(neuron.scale))

    def _weigh(self, name: str, layer: Weighted, sources: list[Source], output: Tensor) -> None:
        kind = "dense" if isinstance(layer, torch.nn.Linear) else "conv"
        count = self.synapses.setdefault(name, SynapseCount(name, kind))
        count.macs = macs_of(layer, output)
        count.update(sources, reach_of(layer, sources[0].levels), self.levels)

    def _add(self, node: Node, sources: Sequence[list[Source] | None], output: Tensor) -> list[Source] | None:
        """Spikes added to spikes stay spikes; spikes added to a current reach one target each."""
        spikes = [source for summand in sources if summand is not None for source in summand]
        if None not in sources:
            return added(spikes)
        if spikes:
            count = self.synapses.setdefault(node.name, SynapseCount(node.name, "identity"))
            count.update(spikes, np.array(1.0), self.levels)
        return None


def _input(module: Input, x: Tensor, output: Tensor) -> Source:
    levels = module.encode(x).to(output.dtype)
    return Source(
        levels.expand(module.steps, *levels.shape) if module.static else levels,
        module.levels,
        "input",
        static=module.static,
        raw=True,
    )


def _through(node: Node, sources: list[Source]) -> list[Source]:
    """Spikes behind a layer without weights."""
    module = node.module
    if node.kind == "batch_norm":
        return [source.normed(node.name) for source in sources]
    if isinstance(module, AvgPool2d):
        rows, columns = module.kernel_size
        return [source.average(module, rows * columns) for source in sources]
    if isinstance(module, GlobalAvgPool):
        return [source.average(module, source.levels[0, 0, 0].numel()) for source in sources]
    return [source.mapped(module) for source in sources]


def _unit(scale: Tensor) -> tuple[float, ...]:
    return tuple(scale.detach().flatten().tolist())
