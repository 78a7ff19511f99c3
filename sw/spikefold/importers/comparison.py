"""The source's own network beside ours, layer by layer: are they the same?"""

import copy
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor

from spikefold.errors import ModelError
from spikefold.importers.grid import Grid, spread
from spikefold.importers.imported import Imported, Reference
from spikefold.importers.ties import Ties, count_ties
from spikefold.nn import Input, Readout, SpikingNeuron

RANDOM_SAMPLES = 32
EXACT, APPROXIMATED = 0.0, 0.05
_PIECE = 1 << 20  # numbers of the input that go through both networks at once


@dataclass(frozen=True)
class LayerComparison:
    """One layer of ours and the source's.

    Attributes
    ----------
    name, source
        Its name in our model and in the source.
    difference
        Largest difference of the real values; of the logits for the readout.
    values, differing
        How many values were compared, and how many levels (for the readout: classes) are not the same.
    active
        Share of the source's values that are not 0: where it is 0 or 1 there is little to compare.
    ties, ties_apart
        Where the source rounds half to even and the model half up: membranes exactly half-way between two
        levels, and those of them that get another level. Where it fires above its threshold: membranes at it.
    """

    name: str
    source: str
    difference: float
    values: int
    differing: int
    active: float
    ties: int
    ties_apart: int

    @property
    def share(self) -> float:
        """Share of values that differ."""
        return self.differing / self.values


@dataclass(frozen=True)
class Comparison:
    """Both networks on the same samples.

    Attributes
    ----------
    samples, random
        How many, and whether they were random levels.
    exact
        Whether the source has the same levels, or real values that were rounded to levels.
    layers
        Neurons and the readout in order, on samples that lie on the input grid.
    off_grid
        Largest distance of the given samples from the grid, in levels.
    classes_off_grid
        Samples whose class changes as the source sees them on the grid instead of as they are.
    """

    samples: int
    random: bool
    exact: bool
    layers: tuple[LayerComparison, ...]
    off_grid: float
    classes_off_grid: int

    @property
    def share(self) -> float:
        """Share of levels that differ, of all neurons."""
        neurons = self.layers[:-1]
        return sum(layer.differing for layer in neurons) / max(1, sum(layer.values for layer in neurons))

    @property
    def levels_differ(self) -> int:
        """Levels of neurons that differ."""
        return sum(layer.differing for layer in self.layers[:-1])

    @property
    def classes_differ(self) -> int:
        """Samples whose class is not the source's, on the grid."""
        return self.layers[-1].differing

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, for the model's file."""
        return {**asdict(self), "layers": [asdict(layer) for layer in self.layers]}

    def check(self, tolerance: float) -> None:
        """Raise ModelError if more than this share of levels or classes differs.

        The first layer that differs is named. Where the source has no levels, classes alone count.
        """
        if max(self.share if self.exact else 0, self.layers[-1].share) <= tolerance:
            return
        first = next(layer for layer in self.layers if layer.differing)
        ties = sum(layer.ties_apart for layer in self.layers)
        told = f"; {ties} ties round otherwise" if ties else ""
        raise ModelError(
            f"Imported network must be the source's within a tolerance of {tolerance:g}, but "
            f"{self.share:.2%} of all levels and {self.classes_differ} of {self.samples} classes differ, "
            f"from layer {first.name!r} on ({first.share:.2%} there, by {first.difference:.3g} at most"
            f"{told}); allow more with a tolerance if that is meant"
        )


def default_tolerance(imported: Imported) -> float:
    """The share of levels that may differ unless told: none, but where a parameter had to be approximated."""
    return APPROXIMATED if any(note.error for note in imported.notes) else EXACT


def compare(
    imported: Imported,
    reference: Reference,
    grid: Grid,
    data: object | None = None,
    *,
    samples: int = RANDOM_SAMPLES,
    seed: int = 0,
) -> Comparison:
    """Run both networks in float64 on samples, layer by layer.

    Parameters
    ----------
    imported, reference, grid
        Our network, the source's, the input.
    data
        Raw samples, [N, *shape], or [N, T, *shape] if not static; None for seeded random levels.
    samples, seed
        How many of them, or of random ones.

    Raises
    ------
    InputError
        If the samples do not fit the grid.
    ModelError
        If the source gives no value for a layer, or one of another shape.
    """
    x = grid.samples(grid.random(samples, seed) if data is None else spread(data, samples))
    piece = max(1, _PIECE // (grid.steps * math.prod(grid.shape)))
    ours = replace(imported, model=copy.deepcopy(imported.model).double())
    parts = [_part(ours, reference, grid, part) for part in x.split(piece, dim=0 if grid.static else 1)]
    layers = tuple(map(_joined, zip(*(part.layers for part in parts), strict=True)))
    return Comparison(
        samples=sum(part.samples for part in parts),
        random=data is None,
        exact=imported.exact,
        layers=layers,
        off_grid=max(part.off_grid for part in parts),
        classes_off_grid=sum(part.classes_off_grid for part in parts),
    )


@dataclass(frozen=True)
class _Part:
    """A comparison on some of the samples; fields as those of `Comparison`."""

    samples: int
    layers: tuple[LayerComparison, ...]
    off_grid: float
    classes_off_grid: int


def _part(imported: Imported, reference: Reference, grid: Grid, x: Tensor) -> _Part:
    """Compare on samples that fit into memory together; `imported` is in float64."""
    entrance = grid.layer().double()
    theirs = dict(reference(entrance(x)))
    as_given = reference(grid.real(x))
    ours = _recorded(imported, x)
    layers = tuple(_layer(imported, name, source, ours, theirs) for name, source in _ordered(imported))
    result = imported.taps[layers[-1].name]
    changed = _classes(as_given[result]) != _classes(theirs[result])
    return _Part(len(changed), layers, _distance(entrance, x), int(changed.sum()))


def _joined(parts: Sequence[LayerComparison]) -> LayerComparison:
    """One layer on all samples."""
    values = sum(part.values for part in parts)
    return replace(
        parts[0],
        difference=max(part.difference for part in parts),
        values=values,
        differing=sum(part.differing for part in parts),
        active=sum(part.active * part.values for part in parts) / values,
        ties=sum(part.ties for part in parts),
        ties_apart=sum(part.ties_apart for part in parts),
    )


def _ordered(imported: Imported) -> list[tuple[str, str]]:
    """The taps in the order of the model's layers, the readout last."""
    order = {name: place for place, (name, _) in enumerate(imported.model.named_modules())}
    readout = {name for name in imported.taps if isinstance(imported.model.get_submodule(name), Readout)}
    return sorted(imported.taps.items(), key=lambda tap: (tap[0] in readout, order[tap[0]]))


@dataclass(frozen=True)
class _Record:
    """What one of our layers gave, and its ties."""

    value: Tensor
    ties: Ties


def _recorded(imported: Imported, x: Tensor) -> dict[str, _Record]:
    """What our tapped layers give."""
    model, found = imported.model, {}

    def keep(name: str) -> Any:
        def hook(layer: torch.nn.Module, given: tuple[Tensor, ...], value: Tensor) -> None:
            strict, ties = name in imported.strict, Ties(0, 0)
            if strict or name in imported.half_even:
                ties = count_ties(cast(SpikingNeuron, layer), given[0], strict=strict)
            found[name] = _Record(value, ties)

        return hook

    handles = [model.get_submodule(name).register_forward_hook(keep(name)) for name in imported.taps]
    try:
        with torch.no_grad():
            model(x)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _layer(
    imported: Imported, name: str, source: str, ours: dict[str, _Record], theirs: dict[str, Tensor]
) -> LayerComparison:
    if source not in theirs:
        raise ModelError(f"Layer {source!r} of the source gave nothing to compare {name!r} with")
    layer, mine = imported.model.get_submodule(name), ours[name]
    other = theirs[source].to(torch.float64)
    if isinstance(layer, Readout):
        other = other.mean(0) if other.dim() == mine.value.dim() + 1 else other
        apart = _classes(mine.value) != _classes(other)
    else:
        other = _steps_first(other, mine.value)
        scale = cast(SpikingNeuron, layer).scale
        scale = scale.reshape(scale.shape[0], 1, scale.shape[1], *(1,) * (other.dim() - 3))
        apart = torch.round(mine.value / scale) != torch.round(other / scale)
    difference = float((mine.value - other).abs().max())
    active = float((other != 0).double().mean())
    return LayerComparison(name, source, difference, apart.numel(), int(apart.sum()), active, *mine.ties)


def _steps_first(other: Tensor, mine: Tensor) -> Tensor:
    """The source's value in our shape."""
    if other.numel() != mine.numel():
        raise ModelError(
            f"The source's layer must give values of shape {list(mine.shape)}, not {list(other.shape)}"
        )
    return other.reshape(mine.shape)


def _classes(logits: Tensor) -> Tensor:
    return (logits.mean(0) if logits.dim() == 3 else logits).argmax(-1)


def _distance(entrance: Input, x: Tensor) -> float:
    """How far samples lie from the grid at most, in levels."""
    places = (x.double() - entrance.minimum) * (entrance.levels / (entrance.maximum - entrance.minimum))
    return float((places - entrance.encode(x)).abs().max())
