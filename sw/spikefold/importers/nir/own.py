"""NIR files that `spikefold.exporters.nir` wrote: their metadata give the model back as it was."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from spikefold import nn
from spikefold.errors import ImportRefusal
from spikefold.exporters.nir import KEY, to_nir
from spikefold.formats.tensors import pack_tensors
from spikefold.importers.grid import Grid
from spikefold.importers.imported import OUTPUT, Imported
from spikefold.importers.nir.graph import flat, metadata_of
from spikefold.importers.nir.options import Options
from spikefold.importers.nir.parameters import one, reals
from spikefold.importers.nir.reference import Interpreter
from spikefold.nn.description import Layer, parse

_ACCEPTED = f"the graph as it was written, or one without the metadata {KEY!r}, which is read as any other"
_WEIGHTS = ("dense", "conv", "binary_dense", "binary_conv")


def is_own(graph: Any) -> bool:
    """Whether a graph's metadata describe a model of this package."""
    return KEY in metadata_of(graph)


def load_own(graph: Any, grid: Grid | None, options: Options) -> Imported:
    """The model that a graph was made of, its tensors bit for bit.

    Parameters
    ----------
    grid
        The input, which must be the model's own; None takes that.
    options
        Of nodes that say nothing themselves.

    Raises
    ------
    ImportRefusal
        If the graph is not what this model gives, so that it was changed; or if its input is not the grid.
    ModelError
        If the metadata describe no model.
    """
    model = _model(graph)
    dt = one("(graph)", "dt", reals("(graph)", "dt", graph.metadata.get("dt", ()), 0).reshape(1))
    _check_unchanged(graph, to_nir(model, dt).graph)
    nodes = nn.graph(model)
    entrance = cast(nn.Input, nodes[0].module)
    if grid is not None and grid_of(entrance) != grid:
        raise ImportRefusal(nodes[0].name, f"its input is {entrance}", "the input grid of the file")
    taps = {
        node.name: f"{node.name}_scale" if f"{node.name}_scale" in graph.nodes else node.name
        for node in nodes
        if isinstance(node.module, nn.SpikingNeuron)
    }
    computed = _Framed(Interpreter(flat(graph), options), entrance)
    return Imported(model, taps | {nodes[-1].name: OUTPUT}, reference=computed)


def grid_of_own(graph: Any) -> Grid:
    """The input of the model that a graph was made of; errors as `load_own`."""
    return grid_of(cast(nn.Input, nn.graph(_model(graph))[0].module))


def grid_of(layer: nn.Input) -> Grid:
    """The grid of an input layer, without its padding."""
    mean, std = (_plain(values) for values in (layer.mean, layer.std))
    ends = (layer.minimum, layer.maximum)
    return Grid(layer.shape, layer.levels, *ends, layer.steps, layer.static, mean, std)


def _plain(values: Tensor | None) -> Any:
    """A normalisation as a grid has it."""
    found = None if values is None else values.tolist()
    return tuple(found) if isinstance(found, list) else found


class _Framed:
    """A graph's own computation, on real-valued input that lacks the padding of the model's input layer."""

    def __init__(self, graph: Interpreter, layer: nn.Input) -> None:
        self._graph, self._layer = graph, layer

    def __call__(self, x: Tensor) -> Mapping[str, Tensor]:
        if self._layer.pad == (0, 0):
            return self._graph(x)
        (rows, columns), worth = self._layer.pad, (self._layer.scale, self._layer.shift)
        levels = torch.tensor(self._layer.pad_levels, dtype=torch.float64)[:, None, None]
        frame = (levels * worth[0] + worth[1]).expand(*x.shape[:2], *self._layer.out_shape).clone()
        frame[..., rows : rows + x.shape[3], columns : columns + x.shape[4]] = x
        return self._graph(frame)


def _model(graph: Any) -> torch.nn.Module:
    """The model that the metadata describe."""
    text = graph.metadata[KEY]
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    found: dict[str, Tensor] = {}
    for layer in parse(Path("(NIR graph)"), text).layers:
        for key, value in _tensors(layer, graph.nodes.get(layer.name)).items():
            array = np.array(value)
            if array.dtype.kind not in "biuf":
                raise ImportRefusal(layer.name, f"its {key} holds no numbers", _ACCEPTED)
            found[f"{layer.name}.{key}"] = torch.from_numpy(array)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        file.write_bytes(pack_tensors(found, {KEY: text}))
        return nn.load(file)


def _tensors(layer: Layer, node: Any) -> dict[str, Any]:
    """The tensors of a layer, from the fields of its node and from its metadata."""
    if node is None:
        return {}
    held = metadata_of(node).get("tensors", {})
    if not isinstance(held, dict):
        raise ImportRefusal(layer.name, "its tensors are no table", _ACCEPTED)
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
    return kept | {"metadata": metadata_of(node)}


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
