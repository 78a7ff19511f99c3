"""Start a network from the tensors of a trained one."""

import torch

from spikefold.errors import InputError


def start_from(model: torch.nn.Module, trained: torch.nn.Module) -> None:
    """Copy all tensors of ``trained`` into ``model``, which must have the same layers.

    Raises
    ------
    InputError
        If a tensor is missing on either side or has another shape; it is named.
    """
    own, given = model.state_dict(), trained.state_dict()
    for name in sorted(own.keys() | given.keys()):
        shapes = [list(state[name].shape) if name in state else None for state in (own, given)]
        if shapes[0] != shapes[1]:
            recipe, file = ("none" if shape is None else str(shape) for shape in shapes)
            raise InputError(
                f"Model to start from must have the layers of the recipe, but its tensor {name!r} has the "
                f"shape {file}, not {recipe}; use the recipe's [model] table it was trained with"
            )
    model.load_state_dict(given)
