"""Model files: safetensors whose metadata describes the architecture as data. Pickles are never loaded.

The metadata has one key, ``spikefold``, holding the JSON of ``spikefold.nn.description``. Tensors are named
``<layer>.<tensor>``. Only layer kinds of ``spikefold.nn.kinds`` are ever built.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from spikefold.errors import InputError, ModelError
from spikefold.files import write_atomic
from spikefold.nn.containers import Sequential
from spikefold.nn.dag import Graph, assemble
from spikefold.nn.description import Description, Layer, parse
from spikefold.nn.graph import Node, graph
from spikefold.nn.kinds import KINDS
from spikefold.nn.neurons import PIT, SpikingNeuron, tie_scales

_KEY = "spikefold"
_PICKLES = (b"PK\x03\x04", b"\x80")  # torch.save writes a zip of pickles, older ones start the pickle itself


def save(model: torch.nn.Module, path: str | os.PathLike[str], meta: dict[str, Any] | None = None) -> None:
    """Write ``model`` to ``path``; ``meta`` is kept with it and must be JSON-able.

    The file is written under a temporary name and renamed. The same model gives the same bytes.

    Raises
    ------
    ModelError
        If a layer is not supported or a tensor holds NaN or infinity.
    InputError
        If ``path`` is a directory, or ``meta`` is not JSON-able.
    """
    nodes = graph(model)
    check_weights(model)
    layers: list[Layer] = []
    tensors: dict[str, Tensor] = {}
    for node in nodes:
        layer = Layer(node.name, node.kind, KINDS[node.kind].config(node.module), node.inputs)
        expected = _build(layer).state_dict()
        state = node.module.state_dict()
        if state.keys() != expected.keys():
            raise ModelError(
                f"Layer {node.name!r} must hold the tensors {sorted(expected)}, not {sorted(state)}; "
                "remove parametrizations before saving"
            )
        layers.append(layer)
        tensors |= {
            f"{node.name}.{key}": value.detach().cpu().contiguous().clone() for key, value in state.items()
        }
    text = Description(layers, _ties(nodes), meta or {}).to_json()
    if Path(path).is_dir():
        raise InputError(f"Model file '{path}' must be a file, not a directory; add a file name")
    write_atomic(Path(path), safetensors.torch.save(tensors, metadata={_KEY: text}))


def load(path: str | os.PathLike[str]) -> Sequential | Graph:
    """Return the model in the file ``path``, in eval mode: a Sequential if it is a chain, else a Graph.

    Raises
    ------
    ModelError
        If the file is missing, a pickle, truncated or otherwise no model file, or if it names an unknown
        layer kind, lacks a tensor, reads layers that are not there, or holds a weight that is not finite or
        a scale that is not above 0.
    """
    description, tensors = _read(Path(path))
    floating = [tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()]
    nodes = []
    for layer in description.layers:
        module = _build(layer).to(floating[0] if floating else None)
        prefix = layer.name + "."
        state = {key: tensors.pop(prefix + key) for key in module.state_dict() if prefix + key in tensors}
        _fill(layer.name, module, state)
        nodes.append(Node(layer.name, layer.kind, module, layer.inputs))
    if tensors:
        raise ModelError(f"Model file '{path}' holds the tensor {min(tensors)!r}, which belongs to no layer")
    model = assemble(nodes)
    modules = {node.name: node.module for node in nodes}
    for names in description.ties:
        _tie(names, modules)
    check_weights(model)
    return model.eval()


def read_meta(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the ``meta`` saved with the model file ``path``; errors as ``load``."""
    return _read(Path(path))[0].meta


def check_weights(model: torch.nn.Module) -> None:
    """Raise ModelError, naming the tensor, if a weight is not finite or a scale or variance is not valid."""
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"Tensor {name!r} must be finite, but it holds NaN or infinity")
        if name.rpartition(".")[2] == "running_var" and bool((tensor < 0).any()):
            raise ModelError(f"Tensor {name!r} must not be negative, but holds {float(tensor.min())!r}")
    for name, module in model.named_modules():
        if isinstance(module, SpikingNeuron):
            try:
                _ = module.threshold, module.scale
            except ModelError as error:
                raise ModelError(f"Layer {name!r}: {error}") from error


def _ties(nodes: Sequence[Node]) -> list[list[str]]:
    """Return the names of the neurons that share a scale, group by group, in layer order."""
    groups: dict[int, list[str]] = {}
    for node in nodes:
        if isinstance(node.module, PIT):
            groups.setdefault(id(node.module.log_scale), []).append(node.name)
    return [names for names in groups.values() if len(names) > 1]


def _tie(names: list[str], modules: dict[str, torch.nn.Module]) -> None:
    """Let the named layers share their scale again; it must be stored alike for all of them."""
    unknown = [name for name in names if name not in modules]
    if unknown:
        raise ModelError(f"Tied layers must be layers of the model, not {unknown[0]!r}")
    neurons = [modules[name] for name in names]
    stored = [neuron.log_scale.detach().clone() for neuron in neurons if isinstance(neuron, PIT)]
    try:
        tie_scales(*neurons)
    except ModelError as error:
        raise ModelError(f"Layers {names!r} cannot be tied: {error}") from error
    if not all(torch.equal(stored[0], other) for other in stored):
        raise ModelError(f"Layers {names!r} are tied, so their log_scale must be equal, but it is not")


def _build(layer: Layer) -> torch.nn.Module:
    kind = KINDS.get(layer.kind)
    if kind is None:
        known = ", ".join(sorted(KINDS))
        raise ModelError(f"Layer {layer.name!r} is of unknown kind {layer.kind!r}; known: {known}")
    try:
        with torch.random.fork_rng(devices=[]):  # constructors draw weights that are replaced at once
            return kind.build(**layer.config)
    except (TypeError, RuntimeError, MemoryError, OverflowError) as error:
        raise ModelError(f"Layer {layer.name!r} ({kind.name}) has wrong parameters: {error}") from error


def _fill(name: str, module: torch.nn.Module, state: dict[str, Tensor]) -> None:
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"Layer {name!r} does not match its tensors: {error}") from error


def _read(path: Path) -> tuple[Description, dict[str, Tensor]]:
    """Return the description and the tensors of a model file."""
    if not path.is_file():
        raise ModelError(f"Model file '{path}' must exist and be a file; write one with spikefold.nn.save")
    with path.open("rb") as file:
        head = file.read(8)
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            text = (file.metadata() or {}).get(_KEY)
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    except (safetensors.SafetensorError, OSError) as error:
        if head.startswith(_PICKLES):
            raise ModelError(
                f"Model file '{path}' is a pickle (torch.save), and pickles are never loaded because they "
                "can run code; build the model in Python, load its state dict there, and write it with "
                "spikefold.nn.save(model, path)"
            ) from error
        raise ModelError(
            f"Model file '{path}' is truncated or not in safetensors format ({error}); "
            "write it again with spikefold.nn.save"
        ) from error
    if text is None:
        raise ModelError(f"Model file '{path}' holds no architecture; write it with spikefold.nn.save")
    return parse(path, text), tensors
