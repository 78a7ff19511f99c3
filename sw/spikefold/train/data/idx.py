"""IDX files of unsigned bytes, the format in which MNIST and Fashion-MNIST are published."""

import gzip
import zlib
from math import prod
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError, MissingToolError
from spikefold.limits import claim, occupied
from spikefold.train.data.dataset import Dataset, count_classes

FASHION = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package puts it
_UNSIGNED_BYTE = 0x08
_BYTES_A_NUMBER = 9  # as it is read, and as a feature or label
_PARTS = {"train": "train", "test": "t10k"}


def load_idx(folder: Path, name: str | None = None) -> Dataset:
    """Return the images of the four files in ``folder`` as [1, rows, columns], each byte divided by 255.

    Raises
    ------
    InputError
        As ``read_folder``.
    """
    train_x, train_y, test_x, test_y = read_folder(folder)
    pixels = [np.divide(x[:, None], 255, dtype=np.float32) for x in (train_x, test_x)]
    labels = [y.astype(np.int64) for y in (train_y, test_y)]
    return Dataset(
        *(pixels[0], labels[0], pixels[1], labels[1]),
        maximum=1.0,
        classes=count_classes(labels),
        name=name or f"idx:{folder}",
        image_shape=(1, *train_x.shape[1:]),
    )


def load_fashion() -> Dataset:
    """Return Fashion-MNIST from where Debian's package dataset-fashion-mnist puts it.

    Raises
    ------
    MissingToolError
        If the package is not installed.
    """
    if not FASHION.is_dir():
        raise MissingToolError(
            f"Data set 'fashion' needs the folder '{FASHION}'; install it with: "
            "apt-get install dataset-fashion-mnist, or name a folder that holds the four files: idx:FOLDER"
        )
    return load_idx(FASHION, "fashion")


def read_folder(folder: Path) -> tuple[NDArray[np.uint8], ...]:
    """Return train images, train labels, test images and test labels of the four files in ``folder``.

    Files are called as published, ``train-images-idx3-ubyte`` and so on, with ``t10k`` for the test part;
    a dot in place of the second hyphen and a further ``.gz`` are taken too. Images have the shape
    [samples, rows, columns], labels [samples].

    Raises
    ------
    InputError
        If a file is missing or broken, a part is empty, counts differ, or the parts' images do.
    """
    images, labels = {}, {}
    for part, prefix in _PARTS.items():
        paths = [_find(folder, prefix, kind) for kind in ("images-idx3", "labels-idx1")]
        images[part], labels[part] = read_idx(paths[0], 3), read_idx(paths[1], 1)
        if not images[part].size:
            raise InputError(f"Data file '{paths[0]}' must hold images, not shape {images[part].shape}")
        if len(images[part]) != len(labels[part]):
            raise InputError(
                f"Data folder '{folder}' must hold a label for every {part} image, "
                f"not {len(labels[part])} labels for {len(images[part])} images"
            )
    shapes = [images[part].shape[1:] for part in _PARTS]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"Data folder '{folder}' must hold images of one shape, not {shapes[0]} and {shapes[1]}"
        )
    return images["train"], labels["train"], images["test"], labels["test"]


def read_idx(path: Path, axes: int) -> NDArray[np.uint8]:
    """Return the array of unsigned bytes with ``axes`` axes in ``path``, which may be gzipped.

    Raises
    ------
    InputError
        If the file cannot be read, is of another kind, holds more or fewer bytes than its header says, or is
        above the memory limit.
    """
    header = 4 + 4 * axes
    try:
        with _opened(path) as file:
            start = file.read(header)
            shape = _shape(path, start, axes)
            claim(f"Data file '{path}'", _BYTES_A_NUMBER * prod(shape), paid=occupied(path))
            content = file.read(prod(shape) + 1)
    except (EOFError, zlib.error, OSError) as error:
        raise InputError(f"Data file '{path}' must be a whole IDX file: {error}; fetch it again") from error
    if len(content) != prod(shape):
        found = "more" if len(content) > prod(shape) else len(content)
        raise InputError(
            f"Data file '{path}' must hold {prod(shape)} bytes for its shape {shape}, not {found}; "
            "fetch it again"
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if packed else path.open("rb")


def _shape(path: Path, start: bytes, axes: int) -> tuple[int, ...]:
    """Read the sizes in a file's header."""
    magic = bytes((0, 0, _UNSIGNED_BYTE, axes))
    if start[:4] != magic:
        raise InputError(
            f"Data file '{path}' must begin with 0x{magic.hex()} (IDX, unsigned bytes, axes: {axes}), "
            f"not 0x{start[:4].hex()}"
        )
    header = 4 + 4 * axes
    if len(start) < header:
        raise InputError(f"Data file '{path}' must have a header of {header} bytes, not {len(start)} bytes")
    return tuple(int(size) for size in np.frombuffer(start[4:header], ">u4"))


def _find(folder: Path, prefix: str, kind: str) -> Path:
    """Return the file of one part, whichever way its name is written."""
    name = f"{prefix}-{kind}-ubyte"
    for candidate in (name, f"{prefix}-{kind.replace('-', '.')}-ubyte"):
        for suffix in ("", ".gz"):
            if (folder / (candidate + suffix)).is_file():
                return folder / (candidate + suffix)
    raise InputError(f"Data folder '{folder}' must hold the file '{name}' or '{name}.gz'")
