"""Recordings of event cameras, and frames that count their events."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SENSOR = 128  # pixels a side of the DVS128, which both published sets were recorded with
SPLITS = ("number", "time")
_LARGEST = 255


@dataclass(frozen=True)
class Events:
    """Events in the order in which they were recorded.

    Attributes
    ----------
    t : int64 [N], microseconds.
    x, y : uint8 [N], column and row, 0..127.
    p : uint8 [N], polarity, 0 or 1.
    """

    t: NDArray[np.int64]
    x: NDArray[np.uint8]
    y: NDArray[np.uint8]
    p: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.t)

    def between(self, start: int, end: int) -> "Events":
        """Return the events from ``start`` up to but without ``end``, in microseconds."""
        chosen = (self.t >= start) & (self.t < end)
        return Events(self.t[chosen], self.x[chosen], self.y[chosen], self.p[chosen])


def integrate(events: Events, steps: int, size: int, split: str = "number") -> NDArray[np.uint8]:
    """Count events in ``steps`` frames: uint8 [steps, polarity, size, size], counts above 255 stay there.

    ``split`` "number" gives every frame N // steps events, in order, and the last one also the remainder;
    "time" gives each the events of an equal time, (last - first) // steps microseconds, and the last one also
    what comes after. Both are SpikingJelly's. The 128x128 pixels fall onto ``size`` x ``size`` cells, pixel i
    onto cell i * size // 128; cells differ by a pixel where ``size`` does not divide 128. Counts are sums.

    There must be at least ``steps`` events.
    """
    if split == "number":
        frame = np.arange(len(events)) // (len(events) // steps)
    else:
        passed = events.t - events.t[0]
        frame = np.maximum(passed, 0) // max(1, int(passed[-1]) // steps)
    frame = np.minimum(frame, steps - 1)
    column, row = (axis.astype(np.int64) * size // SENSOR for axis in (events.x, events.y))
    cell = ((frame * 2 + events.p) * size + row) * size + column
    counts = np.bincount(cell, minlength=steps * 2 * size * size)
    return np.minimum(counts, _LARGEST).astype(np.uint8).reshape(steps, 2, size, size)
