"""Networks whose integer weights are not roundings of the model's, refused by name."""

from collections.abc import Sequence

import numpy as np

from spikefold.errors import ModelError
from spikefold.fold.currents import Path
from spikefold.fold.stages import MAX_MEMBERS
from spikefold.nn import Node


def check_path(path: Path, bits: int, node: Node | None) -> None:
    """Raise ModelError unless every integer weight is the rounding of one weight of the layer `node`."""
    trace = path.trace
    if node is None:
        return
    if getattr(node.module, "alpha_mode", None) == "input":
        raise ModelError(
            f"Layer {node.name!r} must not have an alpha per input channel to be trained as the integer "
            "network computes; move it into the neurons with spikefold.nn.reparameterize"
        )
    if trace.overlaps:
        raise ModelError(
            f"Layer {node.name!r} must not be composed with an average pool whose windows overlap to be "
            "trained with rounded weights; put the pool after a neuron, with a stride of its kernel"
        )
    composed = path.projection.weight[0].size > node.module.weight.numel()
    if bits == 1 and composed and not np.all(path.projection.weight):
        raise ModelError(
            f"Layer {node.name!r} must have 2 or more bits to be composed with an average pool whose windows "
            "leave gaps: one bit cannot hold the zeros between them"
        )


def check_members(name: str, members: Sequence[object]) -> None:
    """Raise ModelError unless a layer's sum of spikes of so many scales can be folded when they differ.

    `members` tell emitter and batch norms of each.
    """
    if len(members) > MAX_MEMBERS:
        raise ModelError(
            f"Layer {name!r} must read a sum of spikes of at most {MAX_MEMBERS} different scales, not "
            f"{len(members)}; tie those of the neurons that are added up with spikefold.nn.tie_scales"
        )
    if len(set(members)) < len(members):
        raise ModelError(
            f"Layer {name!r} must not read a sum of one neuron's spikes behind different average pools to be "
            "trained as the integer network computes"
        )
