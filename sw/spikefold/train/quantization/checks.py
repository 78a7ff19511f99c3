"""Networks that cannot be trained as the integer network computes, refused by name."""

from collections.abc import Iterable, Sequence

import torch

from spikefold.errors import ModelError
from spikefold.fold.currents import Path
from spikefold.fold.stages import MAX_MEMBERS
from spikefold.nn import ILIF, LIF, Leaky


def check_paths(paths: Sequence[Path], bits: Sequence[int]) -> None:
    """Raise ModelError unless every integer weight is the rounding of one weight of its layer.

    And unless every layer's sum of spikes can be folded when the scales that are added up differ.
    """
    for path, most in zip(paths, bits, strict=True):
        _check_weights(path, most)
    for connection in {path.trace.connection: None for path in paths}:
        _check_sum(connection[0], (path for path in paths if path.trace.connection == connection))


def _check_weights(path: Path, bits: int) -> None:
    trace, weight = path.trace, path.projection.weight
    if trace.layer is None:
        return
    name = trace.connection[0]
    if getattr(trace.layer, "alpha_mode", None) == "input":
        raise ModelError(
            f"Layer {name!r} must not have an alpha per input channel to be trained as the integer "
            "network computes; move it into the neurons with spikefold.nn.reparameterize"
        )
    if trace.overlaps:
        raise ModelError(
            f"Layer {name!r} must not be composed with an average pool whose windows overlap to be "
            "trained with rounded weights; put the pool after a neuron, with a stride of its kernel"
        )
    composed = weight[0].numel() > trace.layer.weight.numel()
    if bits == 1 and composed and not bool(weight.all()):
        raise ModelError(
            f"Layer {name!r} must have 2 or more bits to be composed with an average pool whose windows "
            "leave gaps: one bit cannot hold the zeros between them"
        )


def _check_sum(name: str, paths: Iterable[Path]) -> None:
    """Count the scales that are equal by chance, as before the first batch, as different ones."""
    origins = {origin for path in paths for origin in path.trace.origins}
    scales = {(_tied(origin.emitter), origin.norms, origin.divisor) for origin in origins}
    if len(scales) > MAX_MEMBERS:
        raise ModelError(
            f"Layer {name!r} must read a sum of spikes of at most {MAX_MEMBERS} different scales, not "
            f"{len(scales)}; tie those of the neurons that are added up with spikefold.nn.tie_scales"
        )


def _tied(emitter: torch.nn.Module) -> object:
    """The same for emitters whose scales are equal by construction: tied ones, and all those of scale 1."""
    return None if isinstance(emitter, ILIF | LIF | Leaky) else getattr(emitter, "tied", (emitter,))[0]
