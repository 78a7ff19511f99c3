"""Operations of a traced forward that are no layers: reshapes, sizes, means and torch's functional layers."""

import builtins
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.fx

Functional = torch.nn.functional


@dataclass(frozen=True)
class Value:
    """What a node of the imported network gives."""

    node: str


@dataclass(frozen=True)
class Size:
    """The size of a source tensor's axis; None for all axes."""

    axis: int | None


@dataclass(frozen=True)
class Membrane:
    """The membrane that a neuron layer gives beside its spikes."""

    layer: str


class Zeros:
    """A constant tensor of zeros: a membrane at rest."""


@dataclass(frozen=True)
class Given:
    """Says that a call gives this."""

    value: Any


@dataclass(frozen=True)
class Stacked:
    """Says that a call puts what was computed step by step into one tensor [T, ...]."""

    value: Any


class Kept:
    """Says that a call gives what it was given."""


class Averaged:
    """Says that a call is the mean over time: the readout."""


@dataclass(frozen=True)
class Call:
    """One operation.

    Attributes
    ----------
    arguments, options
        Positional and by name: `Value`, `Size` or plain Python values.
    lead
        Leading axes of the source's tensors: 2 for [T, B, ...], 1 for [B, ...].
    steps
        T.
    """

    arguments: tuple[Any, ...]
    options: Mapping[str, Any]
    lead: int
    steps: int

    def get(self, place: int, name: str, default: Any = None) -> Any:
        """An argument by place or name."""
        if len(self.arguments) > place:
            return self.arguments[place]
        return self.options.get(name, default)

    def rest(self, place: int = 1) -> tuple[Any, ...]:
        """Arguments from a place on, given one by one or as one sequence."""
        rest = self.arguments[place:]
        return tuple(rest[0]) if len(rest) == 1 and isinstance(rest[0], list | tuple) else rest


Meaning = torch.nn.Module | tuple[torch.nn.Module, ...] | Size | Given | Stacked | Kept | Averaged
Function = Callable[[Call], Meaning | None]
"""What a call means: layers of the source's framework, or one of the above; None if it is not supported."""


def resolve(argument: Any, known: Mapping[torch.fx.Node, Any]) -> Any:
    """An argument of a traced call with nodes replaced by what they stand for."""
    return torch.fx.node.map_arg(argument, lambda node: known[node])


def _flatten(call: Call) -> Meaning | None:
    axes = (call.get(1, "start_dim", 0), call.get(2, "end_dim", -1))
    return torch.nn.Flatten(call.lead) if axes == (call.lead, -1) else None


def _reshape(call: Call) -> Meaning | None:
    sizes = call.rest()
    kept = tuple(Size(axis) for axis in range(call.lead))
    return torch.nn.Flatten(call.lead) if sizes == (*kept, -1) else None


def _shape(call: Call) -> Meaning | None:
    return Size(None) if call.get(1, "") == "shape" else None


def _size(call: Call) -> Meaning | None:
    return Size(call.get(1, "dim"))


def _item(call: Call) -> Meaning | None:
    index = call.get(1, "")
    return Size(index) if call.arguments[0] == Size(None) and isinstance(index, int) else None


def stack(call: Call) -> Meaning | None:
    """`torch.stack` of what one layer gave at every time step."""
    values, axis = call.get(0, "tensors"), call.get(1, "dim", 0)
    same = isinstance(values, list | tuple) and len(values) == call.steps and len(set(values)) == 1
    return Stacked(values[0]) if same and axis == 0 else None


def step_item(call: Call) -> Meaning | None:
    """Spikes or membrane out of a neuron's result, or one time step out of the input."""
    read, index = call.arguments
    if isinstance(read, tuple | list) and isinstance(index, int):
        return Given(read[index])
    if isinstance(read, Value) and isinstance(index, int) and -call.steps <= index < call.steps:
        return Given(read)
    return _item(call)


def _unsqueeze(call: Call) -> Meaning | None:
    return Kept() if call.get(1, "dim") == 0 else None


def _repeat(call: Call) -> Meaning | None:
    first, *others = call.rest()
    return Kept() if first == call.steps and all(size in (1, -1) for size in others) else None


def _mean(call: Call) -> Meaning | None:
    if set(call.options) - {"dim", "keepdim"}:
        return None
    axes, keep = call.get(1, "dim"), call.get(2, "keepdim", False)
    axes = tuple(axes) if isinstance(axes, list | tuple) else (axes,)
    if call.lead == 2 and axes == (0,) and not keep:
        return Averaged()
    if axes in ((-2, -1), (-1, -2), (call.lead + 1, call.lead + 2)):
        pool = torch.nn.AdaptiveAvgPool2d(1)
        return pool if keep else (pool, torch.nn.Flatten(call.lead))
    return None


SHAPES: dict[Callable[..., Any] | str, Function] = {
    torch.flatten: _flatten,
    "flatten": _flatten,
    torch.reshape: _reshape,
    "reshape": _reshape,
    "view": _reshape,
    builtins.getattr: _shape,
    "size": _size,
    operator.getitem: _item,
    torch.unsqueeze: _unsqueeze,
    "unsqueeze": _unsqueeze,
    "unsqueeze_": _unsqueeze,
    "repeat": _repeat,
    torch.mean: _mean,
    "mean": _mean,
    "contiguous": lambda call: Kept(),
}
"""Reshapes and means, for every framework."""


REPETITIONS = (torch.unsqueeze, "unsqueeze", "unsqueeze_", "repeat")
"""How a forward turns a sample into one for every time step, which a static input does by itself."""


def _window(kind: type[torch.nn.Module]) -> Function:
    names = ("kernel_size", "stride", "padding")

    def meaning(call: Call) -> Meaning | None:
        given = dict(zip(names, call.arguments[1:], strict=False)) | dict(call.options)
        try:
            return kind(**given)
        except TypeError:
            return None

    return meaning


def _adaptive(call: Call) -> Meaning | None:
    return torch.nn.AdaptiveAvgPool2d(call.get(1, "output_size"))


FUNCTIONAL: dict[Callable[..., Any] | str, Function] = {
    Functional.avg_pool2d: _window(torch.nn.AvgPool2d),
    Functional.max_pool2d: _window(torch.nn.MaxPool2d),
    torch.max_pool2d: _window(torch.nn.MaxPool2d),
    Functional.adaptive_avg_pool2d: _adaptive,
    Functional.dropout: lambda call: Kept(),
}
"""Layers of `torch.nn.functional` without parameters."""
