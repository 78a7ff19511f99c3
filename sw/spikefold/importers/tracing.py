"""Forwards traced by torch.fx, one module at a time."""

from collections import Counter

import torch
import torch.fx

from spikefold.errors import ImportRefusal
from spikefold.importers.calls import REPETITIONS


def traced(shown: str, module: torch.nn.Module) -> torch.fx.Graph:
    """The forward of a module with every module that it calls whole; the module is left as it was.

    Raises ImportRefusal, for the layer `shown`, if it cannot be traced.
    """
    before = set(vars(module))
    try:
        return _Tracer().trace(module)
    except Exception as error:  # a user's forward may raise anything under tracing
        raise ImportRefusal(
            shown,
            f"the forward of {type(module).__name__} cannot be followed ({error})",
            "a forward that calls layers, without branches or loops on tensors",
        ) from error
    finally:
        for name in set(vars(module)) - before:  # constants
            delattr(module, name)


def repeats(module: torch.nn.Module) -> bool:
    """Whether the module's own forward repeats a sample [B, ...] over the time steps."""
    return any(node.target in REPETITIONS for node in _nodes(module) if node.op.startswith("call_"))


def loops(module: torch.nn.Module) -> bool:
    """Whether the module's own forward calls a layer more than once, as for every time step."""
    calls = Counter(node.target for node in _nodes(module) if node.op == "call_module")
    return any(count > 1 for count in calls.values())


def reads_frames(module: torch.nn.Module) -> bool:
    """Whether the module's own forward takes the time steps out of its input."""
    return any(node.op == "placeholder" and _is_indexed(node) for node in _nodes(module))


def _is_indexed(node: torch.fx.Node) -> bool:
    return any(user.op == "call_function" and user.target.__name__ == "getitem" for user in node.users)  # type: ignore[union-attr]


def _nodes(module: torch.nn.Module) -> list[torch.fx.Node]:
    """The calls of a forward, none where it cannot be traced; `walk` says so."""
    try:
        return list(traced("", module).nodes)
    except ImportRefusal:
        return []


class _Tracer(torch.fx.Tracer):
    """Every module that is called stays whole."""

    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        return True
