"""NIR files that `spikefold.exporters.nir` wrote: their metadata give the model back as it was."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikefold import nn
from spikefold.errors import ImportRefusal
from spikefold.exporters.nir import KEY, to_nir
from spikefold.formats.tensors import pack_tensors
from spikefold.importers.grid import Grid
from spikefold.importers.imported import OUTPUT, Imported
from spikefold.nn.description import Layer, parse
from spikefold.nn.kinds import KINDS

_ACCEPTED = f"the graph as it was written, or one without the metadata {KEY!r}, which is read as any other"
_WEIGHTS = ("dense", "conv", "binary_dense", "binary_conv")


def is_own(graph: Any) -> bool:
    """Whether a graph's metadata describe a model of this package."""
    return KEY in (graph.metadata or {})


def load_own(graph: Any, grid: Grid | None) -> Imported:
    """The model that a graph was made of, its tensors bit for bit.

    Parameters
    ----------
    grid
        The input, which must be the model's own; None takes that.

    Raises
    ------
    ImportRefusal
        If the graph is not what this model gives, so that it was changed; or if its input is not the grid.
    ModelError
        If the metadata describe no model.
    """
    model = _model(graph)
    _check_unchanged(graph, to_nir(model, float(np.asarray(graph.metadata.get("dt", 1.0)))).graph)
    nodes = nn.graph(model)
    if grid is not None and not _same_input(grid.layer(), nodes[0].module):
        raise ImportRefusal(nodes[0].name, f"its input is {nodes[0].module}", "the input grid of the file")
    taps = {
        node.name: f"{node.name}_scale" if f"{node.name}_scale" in graph.nodes else node.name
        for node in nodes
        if isinstance(node.module, nn.SpikingNeuron)
    }
    return Imported(model, taps | {nodes[-1].name: OUTPUT})


def _model(graph: Any) -> torch.nn.Module:
    """The model that the metadata describe."""
    text = graph.metadata[KEY]
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    found: dict[str, Tensor] = {}
    for layer in parse(Path("(NIR graph)"), text).layers:
        for key, value in _tensors(layer, graph.nodes.get(layer.name)).items():
            found[f"{layer.name}.{key}"] = torch.from_numpy(np.array(value))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        file.write_bytes(pack_tensors(found, {KEY: text}))
        return nn.load(file)


def _tensors(layer: Layer, node: Any) -> dict[str, Any]:
    """The tensors of a layer, from the fields of its node and from its metadata."""
    if node is None:
        return {}
    held = dict((node.metadata or {}).get("tensors", {}))
    if layer.kind not in _WEIGHTS:
        return held
    fields = ("weight", "bias") if layer.config.get("bias") else ("weight",)
    return {field: getattr(node, field, ()) for field in fields} | held


def _check_unchanged(graph: Any, written: Any) -> None:
    """Refuse a graph that is not what the model it describes is written as."""
    names = graph.nodes.keys() ^ written.nodes.keys()
    if names:
        raise ImportRefusal(min(names), "it was added to the graph, or taken away", _ACCEPTED)
    for name, node in written.nodes.items():
        if not _equal(_fields(node), _fields(graph.nodes[name])):
            raise ImportRefusal(name, "it was changed after spikefold wrote it", _ACCEPTED)
    changed = set(map(tuple, graph.edges)) ^ set(written.edges)
    if changed:
        raise ImportRefusal(min(changed)[1], f"the edge {min(changed)} was added or taken away", _ACCEPTED)


def _fields(node: Any) -> dict[str, Any]:
    kept = {key: value for key, value in node.to_dict().items() if key not in ("input_shape", "input_type")}
    return kept | {"metadata": node.metadata or {}}


def _equal(one: Any, other: Any) -> bool:
    """Whether two values, tables of them among them, are the same to the bit."""
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(_equal(value, other[key]) for key, value in one.items())
        )
    one, other = (value.decode() if isinstance(value, bytes) else value for value in (one, other))
    return bool(np.array_equal(np.asarray(one), np.asarray(other)))


def _same_input(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return KINDS["input"].config(one) == KINDS["input"].config(other)
