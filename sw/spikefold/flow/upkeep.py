"""The user's cache as a whole: how large it is, and what goes when it grows beyond its limit."""

import json
import math
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import platformdirs

from spikefold.errors import InputError
from spikefold.flow.locks import locked
from spikefold.flow.work import work_folder

Kind = Literal["bitstreams", "builds", "data", "gates", "results", "simulators"]
KINDS: tuple[str, ...] = get_args(Kind)
"""Folders of the cache. Others are those of earlier versions, and go."""

STAMP = "entry.json"
"""The file of an entry whose time of change tells when it was last used."""

VARIABLE = "SPIKEFOLD_CACHE_GB"
DEFAULT_GB = 4.0
MOST_ENTRIES = 2000
RECENT = 3600.0
"""Seconds for which an entry that was used is left alone, since a process may be at work with it."""

FILLED = 0.9
"""How full a cache is left that grew beyond a limit, so that it is not looked through for every entry."""

SCAN_EVERY = 86400.0
"""Seconds after which the cache is looked through whatever its tally says."""

_TALLY = "upkeep.json"


@dataclass(frozen=True)
class Tally:
    """What the cache holds at most: as it was when it was looked through, and what has come since.

    Attributes
    ----------
    size, count
        Bytes and entries.
    scanned
        When it was looked through, in seconds since 1970.
    kinds
        The `KINDS` of the version that did.
    """

    size: int
    count: int
    scanned: float
    kinds: tuple[str, ...] = KINDS


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
                found.append(Entry(path, _size(path), (path / STAMP).stat().st_mtime))
            except OSError:  # gone meanwhile, or damaged: it goes first
                found.append(Entry(path, 0, 0.0))
    return found


@contextmanager
def room_for(root: Path, new: Path) -> Iterator[None]:
    """Count an entry that is put in its place within the block, and keep the cache within its limits.

    It is counted before it is there: a process that is killed leaves a tally that is too high, never one that
    is too low. So the folders need a look only where the tally is beyond a limit, old or missing.
    """
    with locked(root / ".upkeep.lock"):
        tally = _read(root)
        if tally is not None:
            tally = replace(tally, size=tally.size + _size(new), count=tally.count + 1)
            _write(root, tally)
        yield
        if tally is None or _beyond(tally):
            _write(root, trim(root))


def trim(root: Path) -> Tally:
    """Remove what earlier versions left, and what was not used for longest; returns what stays."""
    _remove_foreign(root)
    found = sorted((entry for kind in KINDS for entry in entries(root, kind)), key=lambda entry: entry.used)
    tally = Tally(sum(entry.size for entry in found), len(found), time.time())
    filled = FILLED if _beyond(tally) else 1.0
    for entry in found:
        if not _beyond(tally, filled) or entry.used > time.time() - RECENT:
            break
        _remove(entry.path)
        tally = replace(tally, size=tally.size - entry.size, count=tally.count - 1)
    return tally


def clear(root: Path) -> None:
    """Remove everything but what is being computed."""
    _remove_foreign(root)
    for kind in KINDS:
        for entry in entries(root, kind):
            _remove(entry.path)
    (root / _TALLY).unlink(missing_ok=True)


def _beyond(tally: Tally, part: float = 1.0) -> bool:
    return tally.size > part * limit() or tally.count > part * MOST_ENTRIES


def _read(root: Path) -> Tally | None:
    """The tally, unless it is missing, damaged, old or of another version."""
    try:
        tally = Tally(**json.loads((root / _TALLY).read_text("utf-8")))
        current = tuple(tally.kinds) == KINDS and 0 <= time.time() - tally.scanned < SCAN_EVERY
        return tally if current and tally.size >= 0 and tally.count >= 0 else None
    except (OSError, ValueError, TypeError):
        return None


def _write(root: Path, tally: Tally) -> None:
    (root / _TALLY).write_text(json.dumps(asdict(tally)), "utf-8")


def _size(entry: Path) -> int:
    return sum(file.lstat().st_size for file in entry.rglob("*"))


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
