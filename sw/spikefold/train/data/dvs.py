"""Recordings of event cameras as published: CIFAR10-DVS and DVS128 Gesture."""

import csv
from collections.abc import Iterator
from pathlib import Path

from spikefold.errors import InputError, shown
from spikefold.formats.text import read_text
from spikefold.train.data.aedat import read_aedat2, read_aedat3
from spikefold.train.data.dataset import Dataset
from spikefold.train.data.events import SENSOR, Events
from spikefold.train.data.frames import FrameOptions, Parts, Recording, event_dataset

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
GESTURES = 11
_COLUMNS = ["class", "startTime_usec", "endTime_usec"]
_DIGITS = 18
_LISTS = ("trials_to_train.txt", "trials_to_test.txt")


def load_cifar10dvs(folder: Path, options: FrameOptions) -> Dataset:
    """Return CIFAR10-DVS, ten folders ``airplane`` to ``truck`` of AEDAT 2.0 files, as frames.

    It is published without a split. As is usual, of every class the first 90 % are for training, the rest
    (N // 10) for test, in the order of their names as text, as SpikingJelly has it: ``_10`` before ``_2``.

    Raises
    ------
    InputError
        If a class is missing or has fewer than ten files, or a file is bad.
    """
    train, test = [], []
    for label, name in enumerate(CIFAR10):
        place = folder / name
        paths = sorted(place.glob("*.aedat"), key=lambda path: path.name)
        if len(paths) < 10:
            raise InputError(
                f"Data folder '{place}' must hold at least 10 .aedat files, not {len(paths)}; "
                f"CIFAR10-DVS is the folders {', '.join(CIFAR10)}"
            )
        recordings = [Recording(path, label) for path in paths]
        first = len(paths) - len(paths) // 10
        train += recordings[:first]
        test += recordings[first:]
    return event_dataset(f"cifar10dvs:{folder}", len(CIFAR10), Parts(train, test), read_cifar10dvs, options)


def read_cifar10dvs(path: Path) -> Events:
    """Return the events of a file of CIFAR10-DVS as an upright image shows them.

    The recordings lie on their side: column is 127 less the address's y, row 127 less its x. jAER's bit 0 is
    set where it gets darker, so p is its opposite. That is how SpikingJelly reads them.
    """
    events = read_aedat2(path)
    return Events(events.t, SENSOR - 1 - events.y, SENSOR - 1 - events.x, 1 - events.p)


def load_dvsgesture(folder: Path, options: FrameOptions) -> Dataset:
    """Return DVS128 Gesture, AEDAT 3.1 files with tables of gestures, as frames.

    ``folder`` is ``DvsGesture`` or the one it was unpacked in. The files ``trials_to_train.txt`` and
    ``trials_to_test.txt`` name the recordings of both parts; beside each ``NAME.aedat`` the table
    ``NAME_labels.csv`` says class (1..11, here 0..10), start and end of every sample in microseconds, the end
    not included. Published are 1176 samples for training and 288 for test.

    Raises
    ------
    InputError
        If a file is missing or bad, or named in both lists.
    """
    place = next((p for p in (folder, folder / "DvsGesture") if (p / _LISTS[0]).is_file()), folder)
    trials = [_trials(place, name) for name in _LISTS]
    for name in trials[1]:
        if name in trials[0]:
            raise InputError(
                f"Data file '{place / _LISTS[1]}' must name no recording for training, not {name!r}"
            )
    train, test = ([r for name in names for r in _gestures(place, name)] for names in trials)
    return event_dataset(f"dvsgesture:{folder}", GESTURES, Parts(train, test), read_aedat3, options)


def _trials(folder: Path, name: str) -> list[str]:
    path = folder / name
    if not path.is_file():
        raise InputError(f"Data folder '{folder}' must hold the file {name!r}")
    names = [line.strip() for line in _lines(path) if line.strip()]
    if not names:
        raise InputError(f"Data file '{path}' must name recordings, not none")
    for number, trial in enumerate(names):
        if Path(trial).name != trial or not trial.endswith(".aedat") or trial in names[:number]:
            raise InputError(f"Data file '{path}' must name every .aedat file once, not {trial!r}")
    return names


def _gestures(folder: Path, name: str) -> Iterator[Recording]:
    """Yield the samples of one recording."""
    recording, table = folder / name, folder / f"{name.removesuffix('.aedat')}_labels.csv"
    for path in (recording, table):
        if not path.is_file():
            raise InputError(f"Data folder '{folder}' must hold the file {path.name!r}")
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(_lines(table)) if row]
    except csv.Error as error:
        raise InputError(f"Data file '{table}' must be a table: {error}") from error
    if rows[:1] != [_COLUMNS] or len(rows) < 2:
        raise InputError(
            f"Data file '{table}' must have the columns {', '.join(_COLUMNS)} and a row for every gesture, "
            f"not {rows[:1]!r} and {max(0, len(rows) - 1)} rows"
        )
    for row in rows[1:]:
        if len(row) != 3 or not all(map(_natural, row)):
            raise InputError(f"Data file '{table}' must have rows of three whole numbers, not {shown(row)}")
        label, start, end = map(int, row)
        if not 1 <= label <= GESTURES or end <= start:
            raise InputError(
                f"Data file '{table}' must have classes from 1 to {GESTURES} and ends after their starts, "
                f"not {row!r}"
            )
        yield Recording(recording, label - 1, start, end)


def _natural(cell: str) -> bool:
    return cell.isascii() and cell.isdigit() and len(cell) <= _DIGITS


def _lines(path: Path) -> list[str]:
    return read_text(path, f"Data file '{path}'").removeprefix("\ufeff").splitlines()
