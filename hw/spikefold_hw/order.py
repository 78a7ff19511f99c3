"""How time runs in a stream: the order of its cells, a cell being one position at one time step."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold.ir.maps import Map

Order = Literal["position_major", "step_major"]
"""All time steps of a position before the next position, or all positions of a step before the next step."""
ORDERS: tuple[Order, ...] = get_args(Order)


@dataclass(frozen=True)
class Time:
    """Time steps, and the order of the cells of a map.

    Attributes
    ----------
    steps
        `T`.
    order
        With one step or one position both orders are the same.
    """

    steps: int
    order: Order

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise InputError(f"Order of time must be one of {', '.join(ORDERS)}, not {self.order!r}")

    def in_order(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values (samples, steps, positions, ..) cell by cell as a stream brings them, (cells, ..)."""
        if self.order == "position_major":
            values = values.swapaxes(1, 2)
        return values.reshape(-1, *values.shape[3:])

    def in_cells(self, levels: NDArray[np.integer], map_: Map) -> NDArray[np.integer]:
        """Levels (samples, steps, *shape) of a map as cells, (cells, channels)."""
        array = levels.reshape(*levels.shape[:2], map_.channels, map_.positions)
        return self.in_order(array.swapaxes(2, 3))

    def places(self, positions: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Time step and position of each cell of a sample, both of shape (cells,)."""
        step, position = np.indices((self.steps, positions))
        return self.in_order(step[None]), self.in_order(position[None])
