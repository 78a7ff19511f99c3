"""Model files: safetensors whose metadata describes the architecture as data. Pickles are never loaded.

The metadata has one key, ``spikefold``, holding JSON: ``schema`` (1), ``layers`` (a list of ``name``,
``kind``, ``config`` in the order they are computed) and ``meta`` (anything the caller adds). Tensors are
named ``<layer>.<tensor>``. Only layer kinds of ``spikefold.nn.kinds`` are ever built.
"""

import json
import os
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from spikefold.errors import InputError, ModelError
from spikefold.files import write_atomic
from spikefold.nn.graph import Node, graph
from spikefold.nn.kinds import KINDS
from spikefold.nn.layers import Sequential
from spikefold.nn.nesting import assemble, chain_names
from spikefold.nn.neurons import SpikingNeuron

SCHEMA = 1
_KEY = "spikefold"
_PICKLES = (b"PK\x03\x04", b"\x80")  # torch.save writes a zip of pickles, older ones start the pickle itself


def save(model: torch.nn.Module, path: str | os.PathLike[str], meta: dict[str, Any] | None = None) -> None:
    """Write ``model``, a chain of layers, to ``path``; ``meta`` is kept with it and must be JSON-able.

    The file is written under a temporary name and renamed. The same model gives the same bytes.

    Raises
    ------
    ModelError
        If a layer is not supported, the layers are not a chain, or a tensor holds NaN or infinity.
    InputError
        If ``path`` is a directory, or ``meta`` is not JSON-able.
    """
    nodes = graph(model)
    _check_chain(nodes)
    check_weights(model)
    names = chain_names([node.name for node in nodes])
    layers, tensors = [], {}
    for node, name in zip(nodes, names, strict=True):
        layer = {"name": name, "kind": node.kind, "config": KINDS[node.kind].config(node.module)}
        expected = _build(layer).state_dict()
        state = node.module.state_dict()
        if state.keys() != expected.keys():
            raise ModelError(
                f"Layer {node.name!r} must hold the tensors {sorted(expected)}, not {sorted(state)}; "
                "remove parametrizations before saving"
            )
        layers.append(layer)
        tensors |= {
            f"{name}.{key}": value.detach().cpu().contiguous().clone() for key, value in state.items()
        }
    try:
        text = json.dumps({"schema": SCHEMA, "layers": layers, "meta": meta or {}}, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise InputError(f"Model meta must be JSON-able: {error}") from error
    if Path(path).is_dir():
        raise InputError(f"Model file '{path}' must be a file, not a directory; add a file name")
    write_atomic(Path(path), safetensors.torch.save(tensors, metadata={_KEY: text}))


def load(path: str | os.PathLike[str]) -> Sequential:
    """Return the model in the file ``path``, in eval mode.

    Raises
    ------
    ModelError
        If the file is missing, a pickle, truncated or otherwise no model file, or if it names an unknown
        layer kind, lacks a tensor, or holds a weight that is not finite or a scale that is not above 0.
    """
    description, tensors = _read(Path(path))
    floating = [tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()]
    modules = []
    for layer in description["layers"]:
        module = _build(layer).to(floating[0] if floating else None)
        prefix = layer["name"] + "."
        state = {key: tensors.pop(prefix + key) for key in module.state_dict() if prefix + key in tensors}
        _fill(layer["name"], module, state)
        modules.append(module)
    if tensors:
        raise ModelError(f"Model file '{path}' holds the tensor {min(tensors)!r}, which belongs to no layer")
    model = assemble([layer["name"] for layer in description["layers"]], modules)
    check_weights(model)
    return model.eval()


def read_meta(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the ``meta`` saved with the model file ``path``; errors as ``load``."""
    return _read(Path(path))[0].get("meta", {})


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


def _check_chain(nodes: list[Node]) -> None:
    for before, node in zip([None, *nodes], nodes, strict=False):
        if node.inputs != (() if before is None else (before.name,)):
            raise ModelError(
                f"Model must be a chain of layers to be saved, but {node.name!r} reads "
                f"{node.inputs or 'the model input'}, not the layer before it"
            )


def _build(layer: dict[str, Any]) -> torch.nn.Module:
    kind = KINDS.get(layer["kind"])
    if kind is None:
        known = ", ".join(sorted(KINDS))
        raise ModelError(f"Layer {layer['name']!r} is of unknown kind {layer['kind']!r}; known: {known}")
    try:
        with torch.random.fork_rng(devices=[]):  # constructors draw weights that are replaced at once
            return kind.build(**layer["config"])
    except (TypeError, RuntimeError, MemoryError, OverflowError) as error:
        raise ModelError(f"Layer {layer['name']!r} ({kind.name}) has wrong parameters: {error}") from error


def _fill(name: str, module: torch.nn.Module, state: dict[str, Tensor]) -> None:
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"Layer {name!r} does not match its tensors: {error}") from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
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
    return _description(path, text), tensors


def _description(path: Path, text: str) -> dict[str, Any]:
    try:
        description = json.loads(text)
        schema, layers = description["schema"], description["layers"]
        shaped = all(_is_layer(layer) for layer in layers)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"Model file '{path}' has a broken description ({error!r})") from error
    if schema != SCHEMA:
        raise ModelError(
            f"Model file '{path}' must have schema {SCHEMA}, not {schema!r}; use a matching spikefold"
        )
    if not shaped or not layers:
        raise ModelError(f"Model file '{path}' has a broken description (a layer lacks name, kind or config)")
    return description


def _is_layer(layer: dict[str, Any]) -> bool:
    name, kind, config = layer["name"], layer["kind"], layer["config"]
    return isinstance(name, str) and bool(name) and isinstance(kind, str) and isinstance(config, dict)
