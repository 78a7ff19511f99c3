"""CIFAR-10 and CIFAR-100 as published: the python version and the binary version."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError, shown
from spikefold.train.data.dataset import Dataset
from spikefold.train.data.pickles import read_pickle

_SHAPE = (3, 32, 32)
_PIXELS = 3072

Part = tuple[NDArray[np.uint8], NDArray[np.int64]]  # pixels [N, 3072], labels [N]


@dataclass(frozen=True)
class _Version:
    """One way in which a set is published: the archive's folder, its files and how to read one."""

    folder: str
    train: tuple[str, ...]
    test: str
    read: Callable[[Path, int], Part]

    def place(self, folder: Path) -> Path | None:
        """Return the first of ``folder`` and the archive's folder inside it that has one of the files."""
        for place in (folder, folder / self.folder):
            if any((place / name).is_file() for name in (*self.train, self.test)):
                return place
        return None


def load_cifar(folder: Path, classes: int) -> Dataset:
    """Return CIFAR-10 or CIFAR-100 (``classes``; fine labels) as [3, 32, 32], each byte divided by 255.

    ``folder`` is that of the unpacked archive or the one it was unpacked in. Which version it holds is found
    out; of two the python version is taken. The split is the published one, 50000 and 10000 images.

    Raises
    ------
    InputError
        If a file is missing, broken or empty, or a label out of range.
    """
    for version in _VERSIONS[classes]:
        place = version.place(folder)
        if place is not None:
            break
    else:
        ways = " or ".join(f"{v.train[0]!r}, ..., {v.test!r}" for v in _VERSIONS[classes])
        raise InputError(
            f"Data folder '{folder}' must hold the files of CIFAR-{classes}, {ways}, itself or in a folder "
            + " or ".join(repr(v.folder) for v in _VERSIONS[classes])
        )
    for name in (*version.train, version.test):
        if not (place / name).is_file():
            raise InputError(f"Data folder '{place}' must hold the file {name!r}; unpack the archive again")
    train_x, train_y = _joined(version.read(place / name, classes) for name in version.train)
    test_x, test_y = _joined([version.read(place / version.test, classes)])
    return Dataset(
        *(train_x, train_y, test_x, test_y),
        maximum=1.0,
        classes=classes,
        name=f"cifar{classes}:{folder}",
        image_shape=_SHAPE,
    )


def _joined(parts: Iterable[Part]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    pixels, labels = zip(*parts, strict=True)
    x = np.concatenate(pixels).reshape(-1, *_SHAPE)
    return np.divide(x, 255, dtype=np.float32), np.concatenate(labels)


def _read_python(path: Path, classes: int) -> Part:
    table = read_pickle(path)
    key = "labels" if classes == 10 else "fine_labels"
    for name in ("data", key):
        if name not in table:
            raise InputError(f"Data file '{path}' must have the key {name!r}, not only {shown(list(table))}")
    x, labels = table["data"], table[key]
    if not isinstance(x, np.ndarray) or x.ndim != 2 or x.shape[1] != _PIXELS:
        shape = list(x.shape) if isinstance(x, np.ndarray) else type(x).__name__
        raise InputError(f"Data file '{path}': 'data' must be an array [images, {_PIXELS}], not {shape}")
    if not isinstance(labels, list) or any(type(label) is not int for label in labels):
        raise InputError(f"Data file '{path}': {key!r} must be a list of whole numbers")
    if len(labels) != len(x):
        raise InputError(
            f"Data file '{path}' must hold a label for every image, not {len(labels)} for {len(x)} images"
        )
    return x, _checked(path, labels, classes)


def _read_binary(path: Path, classes: int) -> Part:
    """Records of a label (CIFAR-100: the coarse one, then the fine one) and 3072 pixels, a byte each."""
    labels = 1 if classes == 10 else 2
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise InputError(f"Data file '{path}' must be readable: {error}") from error
    if content.size % (labels + _PIXELS):
        raise InputError(
            f"Data file '{path}' must consist of whole records of {labels + _PIXELS} bytes, "
            f"not {content.size} bytes; fetch it again"
        )
    records = content.reshape(-1, labels + _PIXELS)
    return records[:, labels:], _checked(path, records[:, labels - 1], classes)


def _checked(path: Path, labels: "list[int] | NDArray[np.uint8]", classes: int) -> NDArray[np.int64]:
    if not len(labels):
        raise InputError(f"Data file '{path}' must hold images, not none")
    for bad in (min(labels), max(labels)):
        if not 0 <= bad < classes:
            raise InputError(
                f"Data file '{path}': labels must be from 0 to {classes - 1}, not {shown(int(bad))}"
            )
    return np.asarray(labels, np.int64)


_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
_VERSIONS = {
    10: (
        _Version("cifar-10-batches-py", _BATCHES, "test_batch", _read_python),
        _Version(
            "cifar-10-batches-bin", tuple(f"{name}.bin" for name in _BATCHES), "test_batch.bin", _read_binary
        ),
    ),
    100: (
        _Version("cifar-100-python", ("train",), "test", _read_python),
        _Version("cifar-100-binary", ("train.bin",), "test.bin", _read_binary),
    ),
}
