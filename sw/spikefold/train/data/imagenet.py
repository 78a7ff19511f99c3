"""ImageNet, or any images, as folders: ``train/CLASS/*`` and ``val/CLASS/*``."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold.train.data.dataset import Dataset
from spikefold.train.data.image_files import ImageFiles, require_pillow

DEFAULT_SIZE = 224
_ENDINGS = (".jpeg", ".jpg", ".png")


def load_imagenet(folder: Path, size: int | None = None) -> Dataset:
    """Return the images below ``folder`` as [3, size, size] (224), read from their files when indexed.

    Classes are the folders in ``train``, sorted by name; ``val`` is the test part. The training part's
    ``random`` gives random parts of its images.

    Raises
    ------
    InputError
        If there are no classes, a class has no images, or ``val`` has a class that ``train`` has not; later
        when an image that cannot be read is indexed.
    MissingToolError
        If Pillow is not installed.
    """
    require_pillow()
    size = DEFAULT_SIZE if size is None else size
    classes = _classes(folder / "train")
    tested = _classes(folder / "val")
    for name in tested:
        if name not in classes:
            raise InputError(f"Data folder '{folder / 'val'}' must have the classes of 'train', not {name!r}")
    train_x, train_y = _part(folder / "train", classes, classes, size)
    test_x, test_y = _part(folder / "val", tested, classes, size)
    return Dataset(
        *(train_x, train_y, test_x, test_y),
        maximum=1.0,
        classes=max(2, len(classes)),
        name=f"imagenet:{folder}",
        image_shape=(3, size, size),
    )


def _classes(folder: Path) -> list[str]:
    found = sorted(item.name for item in folder.iterdir() if item.is_dir()) if folder.is_dir() else []
    if not found:
        raise InputError(
            f"Data folder '{folder}' must hold a folder of images for every class, not none; "
            "sort the images into folders called like their classes"
        )
    return found


def _part(
    folder: Path, present: list[str], classes: list[str], size: int
) -> tuple[ImageFiles, NDArray[np.int64]]:
    paths, labels = [], []
    for name in present:
        images = sorted(path for path in (folder / name).iterdir() if path.suffix.lower() in _ENDINGS)
        if not images:
            raise InputError(
                f"Data folder '{folder / name}' must hold images ({', '.join(_ENDINGS)}), not none"
            )
        paths += images
        labels += [classes.index(name)] * len(images)
    return ImageFiles(paths, size), np.array(labels, np.int64)
