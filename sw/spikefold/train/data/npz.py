"""Data sets as four arrays of one `.npz` file."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold.formats.arrays import opened
from spikefold.train.data.dataset import MOST_CLASSES, Dataset, count_classes

_ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def load_npz(path: Path, steps: int | None = None) -> Dataset:
    """Return the arrays x_train, y_train, x_test, y_test of a `.npz` file, as they are; others are not read.

    Samples are features or images ([height, width] or [channels, height, width]); with ``steps`` (T) they
    are sequences of T of them, x is [samples, T, ...].

    Raises
    ------
    InputError
        If the file is missing or broken, an array has an unfit type, shape or value, or y_test holds a label
        beyond those of y_train.
    """
    arrays = _read(path)
    x = [_features(path, name, arrays[name], steps) for name in ("x_train", "x_test")]
    if x[0].shape[1:] != x[1].shape[1:]:
        raise InputError(
            f"Data file '{path}' must have samples of one shape, not {x[0].shape[1:]} and {x[1].shape[1:]}"
        )
    y = [_labels(path, name, arrays[name], n) for name, n in (("y_train", len(x[0])), ("y_test", len(x[1])))]
    low, high = min(0.0, float(x[0].min())), float(x[0].max())
    if high <= low:
        raise InputError(
            f"Data file '{path}' must hold features that differ, but x_train is {high!r} throughout"
        )
    shape = x[0].shape[1 if steps is None else 2 :]
    return Dataset(
        *(x[0], y[0], x[1], y[1]),
        maximum=high,
        classes=count_classes(y[:1]),
        name=f"npz:{path}",
        minimum=low,
        image_shape={2: (1, *shape), 3: shape}.get(len(shape)),
        steps=steps,
    )


def _read(path: Path) -> dict[str, NDArray[Any]]:
    with opened(path, f"Data file '{path}'") as archive:
        for name in _ARRAYS:
            if f"{name}.npy" not in archive.names:
                raise InputError(
                    f"Data file '{path}' must hold the arrays {', '.join(_ARRAYS)}, but {name} is missing"
                )
        return {name: archive.array(f"{name}.npy") for name in _ARRAYS}


def _features(path: Path, name: str, x: NDArray[Any], steps: int | None) -> NDArray[np.float32]:
    axes = ["samples", "steps", "features..."] if steps is not None else ["samples", "features..."]
    if x.dtype.kind not in "iuf" or x.ndim < len(axes) or not x.size:
        raise InputError(
            f"Data file '{path}': {name} must be numbers of shape [{', '.join(axes)}], "
            f"not {x.dtype} of shape {list(x.shape)}"
        )
    if steps is not None and x.shape[1] != steps:
        raise InputError(
            f"Data file '{path}': {name} must hold {steps} frames a sample, as data option steps says, "
            f"not {x.shape[1]}"
        )
    with np.errstate(over="ignore"):
        features = np.ascontiguousarray(x, dtype=np.float32)
    if not np.isfinite(features).all():
        raise InputError(f"Data file '{path}': {name} must be finite in float32, but holds NaN or infinity")
    return features


def _labels(path: Path, name: str, y: NDArray[Any], samples: int) -> NDArray[np.int64]:
    if y.dtype.kind not in "iu" or y.shape != (samples,):
        raise InputError(
            f"Data file '{path}': {name} must be {samples} whole numbers, "
            f"not {y.dtype} of shape {list(y.shape)}"
        )
    for label in (int(y.min()), int(y.max())):
        if not 0 <= label < MOST_CLASSES:
            raise InputError(f"Data file '{path}': {name} must be 0..{MOST_CLASSES - 1}, but holds {label!r}")
    return y.astype(np.int64)
