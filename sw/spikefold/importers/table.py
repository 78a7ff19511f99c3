"""What an importer knows of a framework's layers, and where they stand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from spikefold.errors import ImportRefusal
from spikefold.importers.calls import Function
from spikefold.importers.imported import Note
from spikefold.nn.neurons.leak import PerChannel


@dataclass
class Place:
    """Where a layer stands: all that its converter may need beside the layer itself.

    Attributes
    ----------
    name
        Its path in the source.
    value
        What it reads of the probe, [T, B, ...] real values.
    lead
        Leading axes of the source's own tensors there: 2 for [T, B, ...], 1 for [B, ...].
    notes
        To which a converter adds what is not as in the source.
    half_even, strict
        Set where the source's neuron rounds half to even and ours half up, or where the source's fires above
        its threshold, not at it.
    """

    name: str
    value: Tensor
    lead: int
    notes: list[Note] = field(default_factory=list)
    half_even: bool = False
    strict: bool = False

    def noted(self, value: PerChannel, note: Note | None) -> PerChannel:
        """The value, with its note kept."""
        self.notes += [] if note is None else [note]
        return value

    def per_channel(self, name: str, value: Tensor) -> Tensor:
        """A parameter of a neuron as one value per channel, in float64.

        Raises
        ------
        ImportRefusal
            If its shape is not that of the neurons, or it differs between the positions of a channel.
        """
        shape = tuple(self.value.shape[2:])
        try:
            full = value.detach().double().cpu().expand(shape).reshape(self.channels, -1)
        except RuntimeError as error:
            raise ImportRefusal(
                self.name,
                f"its {name} has shape {list(value.shape)} for neurons {list(shape)}",
                "one per channel",
            ) from error
        if not bool((full == full[:, :1]).all()):
            raise ImportRefusal(self.name, f"its {name} differs from position to position", "one per channel")
        return full[:, 0]

    @property
    def steps(self) -> int:
        """T."""
        return self.value.shape[0]

    @property
    def channels(self) -> int:
        """Channels or features of what it reads."""
        return self.value.shape[2]


Converter = Callable[[Any, Place], torch.nn.Module | tuple[torch.nn.Module, ...] | None]
"""A layer of the source and its place to a layer of this package, or None where it changes nothing.

Of several layers, which read each other in turn, the last gives what the source's layer gives.
"""


@dataclass(frozen=True)
class Table:
    """What a framework's layers become.

    Attributes
    ----------
    layers
        Converters by class. A subclass counts as its base unless it brings methods of its own.
    chains
        Containers that call their children in order, and the leading axes that these see; None for those that
        the container sees.
    functions
        Operations of a `forward`, by function or name of a method, beside additions.
    stateless
        Classes whose layers may be called more than once.
    membranes
        Classes of neurons that take and give membranes beside spikes. Where there are any, a forward may loop
        over the time steps: a layer is then called again with the same source.
    accepted
        What a refused layer might be replaced by, in words.
    """

    layers: Mapping[type, Converter]
    chains: Mapping[type, int | None]
    functions: Mapping[Callable[..., Any] | str, Function]
    stateless: tuple[type, ...]
    membranes: tuple[type, ...] = field(default=(), kw_only=True)
    accepted: str

    def converter(self, module: torch.nn.Module) -> Converter | None:
        """The converter of the module's class, if there is one."""
        base = plain_class(type(module), self.layers)
        return None if base is None else self.layers[base]

    def base(self, module: torch.nn.Module) -> type | None:
        """The known class that the module's class extends in any way."""
        return next((base for base in type(module).__mro__ if base in self.layers), None)


def plain_class(kind: type, known: Mapping[type, object]) -> type | None:
    """The known class that `kind` is, or extends by nothing but a constructor and texts."""
    for base in kind.__mro__:
        if base in known:
            return base
        own = {name for name, value in vars(base).items() if callable(value) or isinstance(value, property)}
        if own - {"__init__", "extra_repr", "__repr__"}:
            return None
    return None
