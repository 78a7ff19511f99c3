"""Layers of this package for the nodes of a NIR graph, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from spikefold.errors import ImportRefusal
from spikefold.importers.grid import Grid
from spikefold.importers.imported import Note
from spikefold.importers.nir.parameters import Reals, Shape
from spikefold.importers.padding import Pair, padded_input
from spikefold.nn import Add, BatchNorm, Conv2d, Dense, Node
from spikefold.nn.kinds import kind_of

_NO_VARIANCE = 1e-300  # added to a variance of 1, of a batch norm that is a gain alone
_SAME = 1e-6  # relative: gains are ratios of float32 numbers


@dataclass
class Builder:
    """The layers made so far.

    Attributes
    ----------
    names
        Of all nodes of the source: what layers are called must not be in the way of those to come.
    readers
        By node of the source, how many read it.
    grid
        The input.
    line
        Whether the source's maps are (channels, length), ours (channels, 1, length).
    nodes
        The layers in order.
    given
        By node of the source the layer that gives its value.
    shapes
        Of what each layer gives, one sample and time step: (features,) or (channels, rows, columns).
    taps, notes
        As in `Imported`.
    """

    names: frozenset[str]
    readers: dict[str, int]
    grid: Grid
    line: bool
    nodes: list[Node] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    taps: dict[str, str] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """T."""
        return self.grid.steps

    def node(self, layer: str) -> Node:
        """A layer by its name."""
        return next(node for node in self.nodes if node.name == layer)

    def append(self, wanted: str, layer: torch.nn.Module, inputs: Sequence[str], shape: Shape) -> str:
        """Add a layer that reads others and gives values of this shape; returns its name."""
        name = self._free(wanted)
        kind = kind_of(layer)
        assert kind is not None  # only layers of this package are added
        self.nodes.append(Node(name, kind.name, layer.double().eval(), tuple(inputs)))
        self.shapes[name] = shape
        return name

    def summed(self, reader: str, sources: Sequence[str]) -> str:
        """The layer that gives the sum of what nodes of the source give, for one that reads it."""
        layers = [self.given[source] for source in sources]
        if len(layers) == 1:
            return layers[0]
        shapes = {self.shapes[layer] for layer in layers}
        if len(shapes) > 1:
            raise ImportRefusal(
                reader, f"it adds up values of shapes {sorted(map(list, shapes))}", "values of one shape"
            )
        return self.append(f"{reader}_sum", Add(), layers, shapes.pop())

    def scaled(self, reader: str, source: str, gain: Reals, offset: Reals | None = None) -> str:
        """The layer that gives what `source` gives, times a factor for each channel, plus an offset.

        Both go into the weights and bias before them, unless something else reads these.
        """
        if offset is None and np.allclose(gain, 1, rtol=0, atol=_SAME):
            return source
        shift = torch.zeros(len(gain), dtype=torch.float64) if offset is None else torch.tensor(offset)
        layer, factors = self.node(source).module, torch.tensor(gain)
        if not isinstance(layer, Dense | Conv2d) or not self.alone(source):
            norm = BatchNorm(len(gain), eps=_NO_VARIANCE).double()
            with torch.no_grad():
                norm.weight.copy_(factors)
                norm.bias.copy_(shift)
            return self.append(f"{reader}_gain", norm, [source], self.shapes[source])
        with torch.no_grad():
            layer.weight.mul_(factors.reshape(-1, *(1,) * (layer.weight.dim() - 1)))
            if layer.bias is not None:
                layer.bias.mul_(factors).add_(shift)
            elif offset is not None:
                layer.bias = torch.nn.Parameter(shift)
        return source

    def framed(self, reader: str, source: str, padding: Pair) -> Pair:
        """Let the input take over the zeros of a convolution that alone reads it, where 0 is not level 0.

        Returns the padding that is left to the convolution.
        """
        if self.node(source).kind != "input" or not self.alone(source):
            return padding
        layer, left, error = padded_input(self.grid, padding)
        self.nodes[0] = replace(self.nodes[0], module=layer.double())
        self.shapes[source] = layer.out_shape
        if error:
            text = f"zeros beside the input are its nearest levels, worth up to {error:.3g}"
            self.notes.append(Note(reader, text, error))
        return left

    def alone(self, layer: str) -> bool:
        """Whether at most one node reads what a layer gives."""
        return all(self.readers[node] <= 1 for node, given in self.given.items() if given == layer)

    def native(self, shape: Shape) -> Shape:
        """A shape of ours as the source has it."""
        return (shape[0], shape[2]) if self.line and len(shape) == 3 else shape

    def _free(self, wanted: str) -> str:
        """A name like the wanted one that torch allows and that is in no other's way."""
        parts = [
            part + "_" if not part or hasattr(torch.nn.Module(), part) else part for part in wanted.split(".")
        ]
        name = ".".join(parts)
        taken = {node.name for node in self.nodes} | (self.names - {wanted})
        if any(_in_the_way(name, other) for other in taken):
            name = name.replace(".", "_")
        while any(_in_the_way(name, other) for other in taken):
            name += "_"
        return name


def _in_the_way(name: str, other: str) -> bool:
    return name == other or name.startswith(f"{other}.") or other.startswith(f"{name}.")
