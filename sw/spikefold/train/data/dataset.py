"""What every loader returns."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold.train.data.lazy import LazyArray

Samples = NDArray[np.float32] | LazyArray
MOST_CLASSES = 1 << 16
"""As many as the hardware's results can tell apart."""


@dataclass(frozen=True)
class Dataset:
    """Training and test data.

    ``train_x``/``test_x`` are float32 [N, features...], arrays or ``LazyArray``; ``train_y``/``test_y`` int64
    [N] in ``0..classes-1``. Features run from ``minimum`` to ``maximum``. ``image_shape`` is (channels,
    height, width) where a sample is one image, possibly stored in another shape; None otherwise. Where
    ``steps`` is a number T, a sample is a sequence [T, features...], a frame for every time step, and
    ``image_shape`` is that of one frame.

    Raises
    ------
    InputError
        If a label is no class.
    """

    train_x: Samples
    train_y: NDArray[np.int64]
    test_x: Samples
    test_y: NDArray[np.int64]
    maximum: float
    classes: int
    name: str
    minimum: float = 0.0
    image_shape: tuple[int, int, int] | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        """Check the labels: torch would take -100 for "ignore this sample", and others end deep in a loss."""
        for name, labels in (("train_y", self.train_y), ("test_y", self.test_y)):
            wrong = labels[(labels < 0) | (labels >= self.classes)]
            if len(wrong):
                raise InputError(
                    f"Labels {name} of data set {self.name!r} must be 0..{self.classes - 1}, one of its "
                    f"{self.classes} classes, not {int(wrong[0])}"
                )

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """Shape of what the network gets at one time step, without the batch."""
        return tuple(self.train_x.shape[1 if self.steps is None else 2 :])


def count_classes(labels: Iterable[NDArray[np.int64]]) -> int:
    """Return one more than the largest label of several arrays, but at least two."""
    return max(2, 1 + max(int(y.max()) for y in labels))
