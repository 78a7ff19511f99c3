"""Which part of the integer network each layer of a model is."""

from collections.abc import Mapping

import torch

from spikefold.fold.currents import Path
from spikefold.fold.walk import Walk
from spikefold.ir import Population
from spikefold.nn import SpikingNeuron, graph
from spikefold.quantize.quantizer import quantize
from spikefold.quantize.scales import Method
from spikefold.train.quantization.checks import check_members, check_path
from spikefold.train.quantization.populations import Rounded
from spikefold.train.quantization.spikes import key_of
from spikefold.train.quantization.synapses import Synapses


class Plan:
    """A model's layers and populations, as they stay while it trains.

    Attributes
    ----------
    nodes, steps
        The layers in order; T.
    populations
        By the neuron layer or readout that ends it.
    synapses
        By dense layer or convolution: one for each scale that it reads.
    ends
        By layer that gives or adds currents: the neuron layer or readout that they reach.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        bits: int | Mapping[str, int],
        method: Method,
        leak_terms: int,
        identity_bits: int,
        membrane_bits: int | None,
    ) -> None:
        self.nodes = graph(model)
        walk = Walk(model)
        folded = walk.network("network")
        network, _ = quantize(
            folded,
            weight_bits=bits,
            method=method,
            leak_terms=leak_terms,
            membrane_bits=membrane_bits,
            identity_bits=identity_bits,
        )
        self.steps = folded.steps
        self.populations: dict[str, Rounded] = {}
        self.synapses: dict[str, list[Synapses]] = {}
        named = {node.name: node for node in self.nodes}
        self._layers = {node.module: node for node in self.nodes}
        for real, whole in zip(folded.populations, network.populations, strict=True):
            end = named[real.modules[-1]]
            synapses = self._population(walk.paths[real.name], whole)
            self.populations[end.name] = Rounded(synapses, real, whole, end, folded.levels, method)
        for name, found in self.synapses.items():
            check_members(name, [one.key[0] for one in found])
        self.ends = self._ends()

    def _population(self, paths: tuple[Path, ...], whole: Population) -> list[Synapses]:
        """Its synapses: paths from sources whose scales are equal by chance are taken apart."""
        found = []
        for path, projection in zip(paths, whole.projections, strict=True):
            node = self._layers.get(path.trace.layer)
            check_path(path, projection.bits, node)
            origins = {key_of(origin): origin for origin in path.trace.origins}
            binary = path.projection.binary and projection.bits == 1
            parts = [
                Synapses(path.trace, origin, projection.bits, whole.channels, binary)
                for origin in origins.values()
            ]
            if node is not None:
                known = self.synapses.setdefault(node.name, [])
                # Sums above 255 levels are several sources of one scale, whose weights are the same.
                known += [one for one in parts if one.key not in [other.key for other in known]]
            found += parts
        return found

    def _ends(self) -> dict[str, str]:
        """Follow every current to the neuron layer or readout."""
        readers = {source: node for node in self.nodes for source in node.inputs}
        ends: dict[str, str] = {}
        for node in reversed(self.nodes):
            if isinstance(node.module, SpikingNeuron) or node.kind == "readout":
                ends[node.name] = node.name
            elif node.name in readers and readers[node.name].name in ends:
                ends[node.name] = ends[readers[node.name].name]
        return ends
