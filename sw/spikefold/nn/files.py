"""Model files: safetensors whose metadata describes the architecture as data. Pickles are never loaded.

The metadata has the key ``spikefold``, holding the JSON of ``spikefold.nn.description``, and ``sha256``, the
digest of that text and of all tensors. Tensors are named ``<layer>.<tensor>``. Only layer kinds of
``spikefold.nn.kinds`` are ever built.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spikefold import limits
from spikefold.errors import InputError, ModelError, shown
from spikefold.files import no_file, write_atomic
from spikefold.formats.tensors import check_numbers, pack_tensors, read_tensors
from spikefold.nn.containers import Sequential
from spikefold.nn.dag import Graph, assemble
from spikefold.nn.description import Description, Layer, parse
from spikefold.nn.graph import Node, graph
from spikefold.nn.kinds import KINDS
from spikefold.nn.neurons import PIT, SpikingNeuron, tie_scales
from spikefold.nn.rounding import restore, to_meta

_KEY = "spikefold"
_DATA = "_spikefold_data"  # attribute of a loaded model: what its file names as its data
_PICKLES = (b"PK\x03\x04", b"\x80")  # torch.save writes a zip of pickles, older ones start the pickle itself


def save(
    model: torch.nn.Module,
    path: str | os.PathLike[str],
    meta: dict[str, Any] | None = None,
    *,
    data: str | None = None,
) -> None:
    """Write ``model`` to ``path``; ``meta`` is kept with it and must be JSON-able.

    ``data`` names the model's data as in recipes ("npz:mine.npz"), so that ``compile``, ``verify`` and
    ``analyze`` find them; a model that ``load`` gave keeps those of its file. Neither counts where ``meta``
    names data. How weights were rounded in training (``train.fake_quantized``) is kept too, under the key
    "rounding", and under "leak_terms" how near the leaks of an imported model must come. The file is
    written under a temporary name and renamed. The same model gives the same bytes.

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
    known = _with_data(model, meta or {}, data) | to_meta(model)
    text = Description(layers, _ties(nodes), known).to_json()
    if Path(path).is_dir():
        raise InputError(f"Model file '{path}' must be a file, not a directory; add a file name")
    write_atomic(Path(path), pack_tensors(tensors, {_KEY: text}))


def load(path: str | os.PathLike[str], *, unsigned: bool = False) -> Sequential | Graph:
    """Return the model in the file ``path``, in eval mode: a Sequential if it is a chain, else a Graph.

    With ``unsigned`` the file may lack the digest, as those did that spikefold wrote before it kept one. To
    give it one: ``nn.save(nn.load(path, unsigned=True), path, nn.read_meta(path, unsigned=True))``.

    Raises
    ------
    ModelError
        If the file is missing, a pickle, truncated, edited or otherwise no model file, or if it names an
        unknown layer kind, lacks a tensor, reads layers that are not there, holds a weight that is not finite
        or absurdly large or a scale that is not above 0, or needs more memory than `spikefold.limits` allows.
    """
    path = Path(path)
    description, tensors = _read(path, unsigned)
    with limits.building(f"Model file '{path}'", paid=limits.occupied(path)):
        model = _assembled(path, description, tensors)
    restore(model, f"Model file '{path}'", description.meta)
    return model


def _assembled(path: Path, description: Description, tensors: dict[str, Tensor]) -> Sequential | Graph:
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
    for data in _data_of(description.meta):
        setattr(model, _DATA, data)
    return model.eval()


def _data_of(meta: dict[str, Any]) -> list[Any]:
    """What a file's ``meta`` names as the model's data, if anything."""
    recipe = meta.get("recipe")
    places = (meta, recipe if isinstance(recipe, dict) else {})
    return [place["data"] for place in places if "data" in place][:1]


def _with_data(model: torch.nn.Module, meta: dict[str, Any], data: str | None) -> dict[str, Any]:
    if _data_of(meta) or (data is None and not hasattr(model, _DATA)):
        return meta
    if data is None:
        return {**meta, "data": getattr(model, _DATA)}
    kind, _, path = data.partition(":")
    return {**meta, "data": {"name": f"{kind}:{Path(path).absolute()}" if path else kind}}


def read_meta(path: str | os.PathLike[str], *, unsigned: bool = False) -> dict[str, Any]:
    """Return the ``meta`` saved with the model file ``path``; errors and ``unsigned`` as ``load``."""
    return _read(Path(path), unsigned)[0].meta


def check_weights(model: torch.nn.Module) -> None:
    """Raise ModelError, naming the tensor, if a weight is not finite, absurdly large, or no valid scale."""
    for name, tensor in model.state_dict().items():
        check_numbers(name, tensor, ModelError)
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
        raise ModelError(f"Layer {layer.name!r} is of unknown kind {shown(layer.kind)}; known: {known}")
    try:
        with torch.random.fork_rng(devices=[]):  # constructors draw weights that are replaced at once
            return kind.build(**layer.config)
    except ModelError:
        raise
    except (TypeError, ValueError, RuntimeError, MemoryError, OverflowError) as error:
        raise ModelError(f"Layer {layer.name!r} ({kind.name}) has wrong parameters: {error}") from error


def _fill(name: str, module: torch.nn.Module, state: dict[str, Tensor]) -> None:
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"Layer {name!r} does not match its tensors: {error}") from error


def _read(path: Path, unsigned: bool) -> tuple[Description, dict[str, Tensor]]:
    """Return the description and the tensors of a model file."""
    what = f"Model file '{path}'"
    if not path.is_file():
        raise ModelError(no_file(path, what) + ", written with spikefold.nn.save")
    with path.open("rb") as file:
        head = file.read(8)
    try:
        found = read_tensors(path, what, error=ModelError)
    except ModelError as error:
        if head.startswith(_PICKLES):
            raise ModelError(
                f"{what} is a pickle (torch.save), and pickles are never loaded because they "
                "can run code; build the model in Python, load its state dict there, and write it with "
                "spikefold.nn.save(model, path)"
            ) from error
        raise ModelError(f"{error}; write it again with spikefold.nn.save") from error
    if _KEY not in found.metadata:
        raise ModelError(f"{what} holds no architecture; write it with spikefold.nn.save")
    if not (found.signed or unsigned):
        raise ModelError(
            f"{what} must carry the digest of its tensors, but has none; if you trust it: "
            "m = nn.load(path, unsigned=True); nn.save(m, path, nn.read_meta(path, unsigned=True))"
        )
    return parse(path, found.metadata[_KEY]), found.tensors
