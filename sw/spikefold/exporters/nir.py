"""A model as a NIR graph: the float network, with what NIR cannot say as metadata.

Every layer is a node of its own name; dropout is left out. The graph's metadata has `spikefold`, the text
that describes the layers in a model file, and `dt`. A neuron's metadata has `levels` (D), `rounding`,
`reset`, `fires`, `steps` (T), `distance` (between two levels, [T, C]), `leak`, `gain`, and `factor` and
`floor` where it has them; the Scale behind it has `scale`, [T, C]. Tensors that are no fields of a node lie
in its metadata under `tensors`.
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import torch

from spikefold import nn
from spikefold.errors import InputError, ModelError
from spikefold.exporters.nir_nodes import make_nodes
from spikefold.files import write_atomic
from spikefold.formats.tensors import read_tensors
from spikefold.nn import checks

KEY = "spikefold"
"""Of a graph's metadata: the description of its layers."""

_ABSENT = ("dropout", "identity")
_UNCHECKED = (
    "has groups or a kernel that is not square, which nir's check of shapes refuses: other readers need "
    "nir.read(.., type_check=False)"
)


@dataclass(frozen=True, eq=False)
class Exported:
    """A graph.

    Attributes
    ----------
    graph
        The `nir.NIRGraph`.
    notes
        What readers that know nothing of the metadata will do otherwise.
    """

    graph: Any
    notes: tuple[str, ...]


def to_nir(model: torch.nn.Module, dt: float = 1.0) -> Exported:
    """Describe a model as a NIR graph.

    Parameters
    ----------
    model
        A model of `spikefold.nn` layers; its dtype is that of the graph's arrays.
    dt
        The time step, in the unit of the time constants that are written.

    Raises
    ------
    ModelError
        If a layer has no counterpart in NIR (a max pool), a sum adds the same values twice, or a name has a
        slash.
    """
    checks.positive("NIR time step (dt)", dt)
    text, layers = _described(model)
    shapes = _shapes(layers)
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str]] = []
    gives: dict[str, str] = {}
    for layer in nn.graph(layers):
        if "/" in layer.name:
            raise ModelError(f"Layer name {layer.name!r} must have no slash in a NIR file; rename the layer")
        if layer.kind in _ABSENT:
            gives[layer.name] = gives[layer.inputs[0]]
            continue
        before = shapes[layer.inputs[0]] if layer.inputs else ()
        made = make_nodes(layer, before, shapes[layer.name], dt)
        names = [layer.name, *(f"{layer.name}_scale" for _ in made[1:])]
        if any(name in nodes for name in names):
            raise ModelError(
                f"Layer {layer.name!r} must not be in the way of the node {names[-1]!r}; rename it"
            )
        nodes |= dict(zip(names, made, strict=True))
        edges += _edges(layer, gives, names)
        gives[layer.name] = names[-1]
    odd = [name for name, node in nodes.items() if isinstance(node, nir.Conv2d) and not _checkable(node)]
    graph = nir.NIRGraph(nodes, edges, {KEY: text, "dt": float(dt)}, type_check=not odd)
    return Exported(graph, (*_notes(layers), *_of(odd, _UNCHECKED)))


def write(model: torch.nn.Module, path: str | os.PathLike[str], dt: float = 1.0) -> tuple[str, ...]:
    """Write a model as a NIR file; returns what other readers of it should know. Errors as `to_nir`.

    The file is written under a temporary name and renamed.

    Raises
    ------
    InputError
        If the path is a directory.
    """
    exported, target = to_nir(model, dt), Path(path)
    if target.is_dir():
        raise InputError(f"NIR file '{path}' must be a file, not a directory; add a file name")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "graph.nir"
        nir.write(file, exported.graph)
        write_atomic(target, file.read_bytes())
    return exported.notes


def _described(model: torch.nn.Module) -> tuple[str, torch.nn.Module]:
    """The text that describes a model's layers, and the model that it describes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        nn.save(model, file)
        return read_tensors(file, "Model file").metadata[KEY], nn.load(file)


def _shapes(model: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    """By layer, the shape of what it gives, for one sample and time step."""
    found: dict[str, tuple[int, ...]] = {}
    nodes = nn.graph(model)

    def keep(name: str) -> Any:
        def hook(layer: torch.nn.Module, given: Any, value: torch.Tensor) -> None:
            found[name] = tuple(value.shape[2:])

        return hook

    handles = [node.module.register_forward_hook(keep(node.name)) for node in nodes]
    entrance = nodes[0].module
    if not isinstance(entrance, nn.Input):
        raise ModelError(f"Model must begin with spikefold.nn.Input, not with {nodes[0].name!r}")
    lead = (1,) if entrance.static else (entrance.steps, 1)
    with torch.no_grad():
        model(torch.full((*lead, *entrance.shape), entrance.minimum))
    for handle in handles:
        handle.remove()
    last = nodes[-1]
    return found | {last.name: found[last.inputs[0]]}


def _edges(layer: nn.Node, gives: dict[str, str], names: Sequence[str]) -> list[tuple[str, str]]:
    sources = [gives[source] for source in layer.inputs]
    if len(set(sources)) < len(sources):
        raise ModelError(
            f"Layer {layer.name!r} (add) must add different values in a NIR file, not {sources!r}"
        )
    inner = list(pairwise(names))
    return [*((source, names[0]) for source in sources), *inner]


def _checkable(node: Any) -> bool:
    """Whether nir's own check of shapes understands a convolution; it takes all kernels for square."""
    return bool(node.groups == 1 and node.weight.shape[2] == node.weight.shape[3])


def _notes(model: torch.nn.Module) -> tuple[str, ...]:
    """What is in the metadata alone."""
    neurons = [(name, one) for name, one in model.named_modules() if isinstance(one, nn.SpikingNeuron)]
    soft = [name for name, one in neurons if one.steps > 1 and one.reset_mode != "zero"]
    many = [name for name, one in neurons if one.levels > 1]
    timed = [name for name, one in neurons if bool((one.scale != one.scale[:1]).any())]
    told = (
        (soft, "resets otherwise than to 0, which NIR cannot say: other readers reset it to 0"),
        (many, "emits integer levels, which NIR has not: other readers let it emit single spikes"),
        (timed, "has a scale for each time step: other readers take the first step's"),
    )
    return tuple(note for names, text in told for note in _of(names, text))


def _of(names: Sequence[str], text: str) -> tuple[str, ...]:
    """A note on layers, if there are any."""
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    return (f"Layer {names[0]!r}{more} {text}",) if names else ()
