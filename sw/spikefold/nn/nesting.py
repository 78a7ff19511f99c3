"""Layer paths such as ``block.dense``: from a chain of named layers to nested Sequentials and back."""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import groupby

import torch

from spikefold.errors import ModelError
from spikefold.nn.layers import Sequential


def chain_names(paths: Sequence[str]) -> list[str]:
    """Return names under which the layers ``paths``, in the order they are computed, nest as Sequentials.

    These are the paths themselves where that works; where a container's layers do not run in one piece,
    the dots become underscores (or the layers are numbered, if that would make two names equal).
    """
    if _nests([path.split(".") for path in paths]):
        return list(paths)
    flat = [path.replace(".", "_") for path in paths]
    return flat if len(set(flat)) == len(flat) else [f"layer{i}" for i in range(len(paths))]


def assemble(names: Sequence[str], modules: Sequence[torch.nn.Module]) -> Sequential:
    """Build the nested Sequential of ``modules``; raise ModelError if ``names`` do not nest."""
    paths = [name.split(".") for name in names]
    if not _nests(paths):
        raise ModelError(f"Layer names must be unique and nest in layer order, not {list(names)!r}")
    return _assemble(list(zip(paths, modules, strict=True)))


def _nests(paths: list[list[str]]) -> bool:
    """Tell whether, on every level, each name is one layer or one unbroken run of inner layers."""
    groups = [[path[1:] for path in group] for _, group in groupby(paths, key=lambda path: path[0])]
    if len(groups) != len({path[0] for path in paths}):
        return False
    return all(group == [[]] or (all(group) and _nests(group)) for group in groups)


def _assemble(layers: list[tuple[list[str], torch.nn.Module]]) -> Sequential:
    children: OrderedDict[str, torch.nn.Module] = OrderedDict()
    for head, group in groupby(layers, key=lambda item: item[0][0]):
        inner = [(path[1:], module) for path, module in group]
        children[head] = inner[0][1] if not inner[0][0] else _assemble(inner)
    return Sequential(children)
