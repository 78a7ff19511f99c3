"""Frames of recorded events: counted once, kept in the cache, and read as features when indexed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from spikefold.errors import InputError
from spikefold.flow.cache import Cache
from spikefold.limits import claim, occupied
from spikefold.train.data.cache import files_key, keep_arrays, load_arrays
from spikefold.train.data.dataset import Dataset
from spikefold.train.data.events import SENSOR, Events, integrate
from spikefold.train.data.lazy import LazyArray

_SHARE = 0.99  # of the counts above 0 in the training part, which are kept as they are
_VERSION = 1  # to be raised where the same files would give other frames


@dataclass(frozen=True)
class FrameOptions:
    """How recordings become frames: ``steps`` T, ``size`` (pixels a side; None: the sensor's), ``split``.

    ``cache`` is where finished frames are kept, None for nowhere; ``progress`` shows a bar.
    """

    steps: int
    size: int | None = None
    split: str = "number"
    cache: Cache | None = None
    progress: bool = True

    @property
    def side(self) -> int:
        """Pixels a side of a frame."""
        return SENSOR if self.size is None else self.size


@dataclass(frozen=True)
class Recording:
    """One sample: the events of a file, or those from ``start`` to before ``end`` (microseconds) of it."""

    path: Path
    label: int
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True)
class Parts:
    """The recordings of a data set, those of one file next to each other."""

    train: Sequence[Recording]
    test: Sequence[Recording]


class CountFrames(LazyArray):
    """Frames [N, T, 2, size, size] of counts from 0 to ``maximum``; those above count as ``maximum``."""

    def __init__(self, counts: NDArray[np.uint8], maximum: int) -> None:
        super().__init__(len(counts), counts.shape[1:])
        self._counts = torch.from_numpy(counts)  # a tensor, which processes share
        self.maximum = maximum

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the frames at ``rows`` as floats."""
        return self._counts[torch.from_numpy(rows)].clamp_(max=self.maximum).float().numpy()


def event_dataset(
    name: str, classes: int, parts: Parts, read: Callable[[Path], Events], options: FrameOptions
) -> Dataset:
    """Return the frames of ``parts``, whose files ``read`` reads.

    Features are numbers of events. Their ``maximum`` is the smallest count that 99 % of the counts above 0 in
    the training part do not exceed; larger ones, of pixels that never rest, saturate there.

    Raises
    ------
    InputError
        If a file is bad, a recording has fewer events than there are steps, or the frames are above the
        memory limit.
    """
    paths = sorted({recording.path for recording in (*parts.train, *parts.test)})
    everything = [[str(r.path), r.start, r.end] for r in (*parts.train, *parts.test)]
    key = files_key(
        [_VERSION, name, options.steps, options.side, options.split, len(parts.train), everything], paths
    )
    shape = (options.steps, 2, options.side, options.side)
    shapes = {"train": (len(parts.train), *shape), "test": (len(parts.test), *shape), "maximum": ()}
    arrays = None if options.cache is None else load_arrays(options.cache, key)
    if arrays is None:
        arrays = _counted(parts, shapes, read, options)
        if options.cache is not None:
            keep_arrays(options.cache, key, arrays)
    maximum = int(arrays["maximum"])
    labels = [np.array([r.label for r in part], np.int64) for part in (parts.train, parts.test)]
    return Dataset(
        train_x=CountFrames(arrays["train"], maximum),
        train_y=labels[0],
        test_x=CountFrames(arrays["test"], maximum),
        test_y=labels[1],
        maximum=float(maximum),
        classes=classes,
        name=name,
        image_shape=shape[1:],
        steps=options.steps,
    )


def _counted(
    parts: Parts,
    shapes: dict[str, tuple[int, ...]],
    read: Callable[[Path], Events],
    options: FrameOptions,
) -> dict[str, NDArray[np.uint8]]:
    paid = sum(map(occupied, {recording.path for recording in (*parts.train, *parts.test)}))
    claim("Frames of all recordings", sum(prod(shapes[part]) for part in ("train", "test")), paid=paid)
    arrays = {part: np.empty(shapes[part], np.uint8) for part in ("train", "test")}
    histogram = np.zeros(256, np.int64)
    columns = (TextColumn("counting events"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not options.progress) as bar:
        task = bar.add_task("events", total=len(parts.train) + len(parts.test))
        for part, recordings in (("train", parts.train), ("test", parts.test)):
            for place, frames in enumerate(_frames(recordings, read, options)):
                arrays[part][place] = frames
                if part == "train":
                    histogram += np.bincount(frames.reshape(-1), minlength=256)
                bar.advance(task)
    share = np.cumsum(histogram[1:]) / histogram[1:].sum()
    return {**arrays, "maximum": np.array(1 + np.searchsorted(share, _SHARE), np.uint8)}


def _frames(
    recordings: Sequence[Recording], read: Callable[[Path], Events], options: FrameOptions
) -> Iterator[NDArray[np.uint8]]:
    for path, group in groupby(recordings, key=lambda recording: recording.path):
        events = read(path)
        for recording in group:
            own, where = events, ""
            if recording.start is not None and recording.end is not None:
                own = events.between(recording.start, recording.end)
                where = f" from {recording.start} to {recording.end} us"
            if len(own) < options.steps:
                raise InputError(
                    f"Event file '{path}' must hold at least an event for each of the {options.steps} steps"
                    f"{where}, not {len(own)} events"
                )
            yield integrate(own, options.steps, options.side, options.split)
