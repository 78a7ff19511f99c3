"""What the layers of a live torch module give."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from spikefold.errors import InputError, shown
from spikefold.importers.imported import OUTPUT
from spikefold.importers.walk import tap


def check_module(source: object) -> None:
    """Raise InputError unless a source is a live module."""
    if not isinstance(source, torch.nn.Module):
        raise InputError(f"Source must be a torch module with its weights loaded, not {shown(source)}")


def in_double(module: torch.nn.Module) -> torch.nn.Module:
    """A copy of the module in float64 and eval mode."""
    return copy.deepcopy(module).double().eval()


def outputs(module: torch.nn.Module, run: Callable[[], Any]) -> dict[str, list[Tensor]]:
    """What every layer gave, call by call in the order of `run`; `OUTPUT` is what `run` returns.

    Of a layer that returns a tuple the first tensor counts.
    """
    found: dict[str, list[Tensor]] = {}
    handles = [
        layer.register_forward_hook(_keep(found, name)) for name, layer in module.named_modules() if name
    ]
    try:
        with torch.no_grad():
            result = run()
    finally:
        for handle in handles:
            handle.remove()
    return found | {OUTPUT: [_first(result)]}


def per_step(found: dict[str, list[Tensor]], steps: int) -> dict[str, Tensor]:
    """Calls of single steps as [T, B, ...], by the name of the call within a step; `OUTPUT` as it is."""
    result = {OUTPUT: found[OUTPUT][0]} if OUTPUT in found else {}
    for name, values in found.items():
        if name == OUTPUT:
            continue
        calls = len(values) // steps
        for call in range(calls):
            result[tap(name, call + 1)] = torch.stack(values[call::calls])
    return result


def whole(found: dict[str, list[Tensor]]) -> dict[str, Tensor]:
    """Calls that see all steps at once, by the name of the call."""
    return {tap(name, call): value for name, values in found.items() for call, value in enumerate(values, 1)}


def _keep(found: dict[str, list[Tensor]], name: str) -> Callable[..., None]:
    def hook(layer: torch.nn.Module, given: Any, value: Any) -> None:
        tensor = _first(value)
        if isinstance(tensor, Tensor):
            found.setdefault(name, []).append(tensor.detach().clone())

    return hook


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, tuple | list) and value else value
