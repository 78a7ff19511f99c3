"""The user's cache as a whole: how large it is, and what goes when it grows beyond its limit."""

import math
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from spikefold.errors import InputError
from spikefold.flow.work import work_folder

KINDS = ("builds", "data", "results", "simulators")
"""Folders of the cache. Others are those of earlier versions, and go."""

STAMP = "entry.json"
"""The file of an entry whose time of change tells when it was last used."""

VARIABLE = "SPIKEFOLD_CACHE_GB"
DEFAULT_GB = 4.0
MOST_ENTRIES = 2000
RECENT = 3600.0
"""Seconds for which an entry that was used is left alone, since a process may be at work with it."""


@dataclass(frozen=True)
class Entry:
    """An entry of the cache, its size in bytes, and when it was last used, in seconds since 1970."""

    path: Path
    size: int
    used: float


def cache_root() -> Path:
    """The user's cache folder."""
    return Path(platformdirs.user_cache_dir("spikefold"))


def limit() -> int:
    """Bytes that the cache may take.

    Raises
    ------
    InputError
        The environment variable `VARIABLE` holds no such number.
    """
    text = os.environ.get(VARIABLE, str(DEFAULT_GB))
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = math.nan
    if not 0 <= gigabytes < math.inf:
        raise InputError(f"Environment variable {VARIABLE} must be a number of gigabytes, not {text!r}")
    return int(gigabytes * 1e9)


def entries(root: Path, kind: str) -> list[Entry]:
    """Whole entries of a kind; not what is being computed."""
    found = []
    for path in _folders(root / kind):
        if not path.name.startswith("."):
            try:
                size = sum(file.lstat().st_size for file in path.rglob("*"))
                found.append(Entry(path, size, (path / STAMP).stat().st_mtime))
            except OSError:  # gone meanwhile, or damaged: it goes first
                found.append(Entry(path, 0, 0.0))
    return found


def trim(root: Path) -> None:
    """Remove what earlier versions left, and what was not used for longest, down to the limits."""
    _remove_foreign(root)
    found = sorted((entry for kind in KINDS for entry in entries(root, kind)), key=lambda entry: entry.used)
    size, count, most = sum(entry.size for entry in found), len(found), limit()
    for entry in found:
        if (size <= most and count <= MOST_ENTRIES) or entry.used > time.time() - RECENT:
            break
        _remove(entry.path)
        size, count = size - entry.size, count - 1


def clear(root: Path) -> None:
    """Remove everything but what is being computed."""
    _remove_foreign(root)
    for kind in KINDS:
        for entry in entries(root, kind):
            _remove(entry.path)


def _remove_foreign(root: Path) -> None:
    for folder in _folders(root):
        if folder.name not in KINDS:
            shutil.rmtree(folder, ignore_errors=True)


def _remove(entry: Path) -> None:
    """Take an entry away in one step, so that nobody finds half of it."""
    with work_folder(entry.parent, ".new-") as work:
        try:
            entry.rename(work / "old")
        except FileNotFoundError:  # another process was faster
            return


def _folders(path: Path) -> Iterator[Path]:
    return (each for each in path.iterdir() if each.is_dir()) if path.is_dir() else iter(())
