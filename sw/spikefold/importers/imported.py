"""What an importer gives: the network as a model of this package, and where it came from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

Reference = Callable[[Tensor], Mapping[str, Tensor]]
"""The framework's own model: real-valued input [T, B, ...] to what its layers give, [T, B, ...], by name."""


OUTPUT = "(output)"
"""The name of the network's own result among a reference's: [T, B, classes], or its mean [B, classes]."""


@dataclass(frozen=True)
class Note:
    """Something that is not as in the source.

    Attributes
    ----------
    node
        The layer, by its name in the source.
    text
        What was done.
    error
        How far the parameter is from the source's own; 0 where only rounding rules differ.
    """

    node: str
    text: str
    error: float = 0.0

    def __str__(self) -> str:
        return f"Layer {self.node!r}: {self.text}"


@dataclass(frozen=True, eq=False)
class Imported:
    """A network of another framework.

    Attributes
    ----------
    model
        The same network as an `nn` model in eval mode, from `nn.Input` to `nn.Readout`.
    taps
        By name of a layer of `model` the name of the source's layer that gives the same: every neuron that
        can be watched there, and `OUTPUT` for the readout.
    notes
        Everything that is not as in the source.
    half_even
        The neurons of `model` whose source rounds half to even, where they round half up.
    strict
        Those whose source fires above its threshold, where they fire at it.
    exact
        Whether the source has levels, so that they must be the same, or real values that became levels.
    reference
        The source's own computation, where options of `load` decide it; None where the source itself does.
    """

    model: torch.nn.Module
    taps: Mapping[str, str]
    notes: tuple[Note, ...] = ()
    half_even: frozenset[str] = field(default=frozenset())
    strict: frozenset[str] = field(default=frozenset())
    exact: bool = True
    reference: Reference | None = None
