"""Loss landscape around a trained network (Li et al., 2018; PIT Fig. 5).

The loss over ``w + x * d1 + y * d2`` with two random directions, filter-normalised: each filter (row of a
weight) of a direction is as long as the network's own. Biases, batch norms and the neurons' parameters stay
as they are, and batch norm uses its running statistics.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikefold.errors import InputError

Progress = Callable[[int, int], None]
SPAN = 1.0
LEAST, MOST = 3, 201


@dataclass(frozen=True, eq=False)
class Landscape:
    """Mean cross-entropy ``loss`` [y, x] where the directions are weighed with ``axis`` [N] each.

    ``centre`` is the loss of the network itself, ``samples`` how many it was taken over.
    """

    axis: NDArray[np.float64]
    loss: NDArray[np.float64]
    centre: float
    samples: int

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        grid = {"axis": self.axis.tolist(), "loss": self.loss.tolist()}
        return {**grid, "centre": self.centre, "samples": self.samples}


def check_points(points: int) -> int:
    """Return the number of points on a side of the grid if it is odd, 3..201; else raise InputError."""
    good = isinstance(points, int) and not isinstance(points, bool) and LEAST <= points <= MOST
    if not good or points % 2 == 0:
        raise InputError(
            f"Landscape points must be odd, {LEAST}..{MOST}, with the network in the middle, not {points!r}"
        )
    return points


def loss_landscape(
    model: torch.nn.Module,
    loss: Callable[[torch.nn.Module], float],
    points: int = 21,
    *,
    samples: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> Landscape:
    """Return the landscape on a square grid of ``points`` by ``points`` over -1..1.

    Parameters
    ----------
    model
        The network, in eval mode; it is not changed.
    loss
        Gives the loss of a network with the same layers.
    points
        Odd, 3..201.
    samples
        How many samples ``loss`` is a mean over; for the record.
    seed
        Of the two directions.
    progress
        Called with the points done and in all.

    Raises
    ------
    InputError
        If ``points`` breaks the rule.
    """
    check_points(points)
    moved = copy.deepcopy(model).eval()
    weights = [m.weight for m in moved.modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)]
    origin = [weight.detach().clone() for weight in weights]
    generator = torch.Generator().manual_seed(seed)
    first, second = ([filter_normalised(w, generator) for w in origin] for _ in range(2))
    axis = np.linspace(-SPAN, SPAN, points)
    found = np.empty((points, points))
    with torch.no_grad():
        for k, (i, j) in enumerate(np.ndindex(points, points)):
            y, x = float(axis[i]), float(axis[j])
            for weight, w, d1, d2 in zip(weights, origin, first, second, strict=True):
                weight.copy_(w + x * d1 + y * d2)
            found[i, j] = loss(moved)
            if progress is not None:
                progress(k + 1, points * points)
    return Landscape(axis, found, float(found[points // 2, points // 2]), samples)


def filter_normalised(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Return a random direction whose rows are as long as those of ``weight``."""
    shape = (len(weight), -1)
    direction = torch.randn(weight.shape, generator=generator).to(weight).reshape(shape)
    length: Tensor = weight.reshape(shape).norm(dim=1, keepdim=True)
    own: Tensor = direction.norm(dim=1, keepdim=True)
    return (direction / own.clamp_min(1e-12) * length).reshape(weight.shape)
