"""Folders that are replaced while others read them: who looks finds the old one or the new one, whole."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from spikefold.flow.exchange import exchange
from spikefold.flow.work import INSIDE, left_folders, literal, work_folder

_OLD, _NEW = "old", "new"
_BUSY = (errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY)
_ATTEMPTS = 100
_PATIENCE = 10.0
_PAUSE = 0.02

T = TypeVar("T")


@contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """An empty folder to fill; it takes the place of ``path`` when the block ends without an error.

    It does so in one step, so that a process killed at any moment leaves the old folder or the new one, and
    of two that write at the same time the last one wins. Where the file system has no such step, the old
    folder is moved aside first: readers wait for that moment (`steady`), and what a process killed in it
    moved aside is put back by whoever reads or writes next.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    with work_folder(path.parent, _prefix(path), lambda left: _put_back(left / _OLD, path)) as work:
        new, old = work / _NEW, work / _OLD
        new.mkdir()
        yield new
        for _ in range(_ATTEMPTS):
            if _placed(new, path, old):
                return
        raise FileExistsError(f"{path} must stay for a moment to be replaced, but was itself replaced")


def steady(path: Path, read: Callable[[], T]) -> T:
    """What ``read`` finds in a folder that others may replace meanwhile: all of it in one and the same.

    ``read`` is called anew where the folder was replaced under it; its errors count only where it was not.
    """
    for _ in range(_ATTEMPTS):
        settle(path)
        with _held(path) as before:
            try:
                found = read()
            except Exception:
                if _is_still(path, before):
                    raise
            else:
                if _is_still(path, before):
                    return found
    raise FileExistsError(f"{path} must stay for a moment to be read, but was replaced {_ATTEMPTS} times")


def _is_still(path: Path, before: tuple[int, int] | None) -> bool:
    """Whether the folder is the one of before, or there is none as before."""
    if before is None:
        settle(path)
    return _identity(path) == before


def settle(path: Path) -> None:
    """Wait for whoever has moved ``path`` aside to replace it, and put back what a killed process moved."""
    path = path.resolve()
    end = time.monotonic() + _PATIENCE
    while not path.exists():
        for left in left_folders(path.parent, _prefix(path)):
            _put_back(left / INSIDE / _OLD, path)
        if not _moved_aside(path) or time.monotonic() > end:
            return
        time.sleep(_PAUSE)


def _placed(new: Path, path: Path, old: Path) -> bool:
    """Move the new folder to its place; False if another process was there in between."""
    try:
        if not path.exists():
            new.rename(path)
        elif not exchange(new, path):
            _two_steps(new, path, old)
    except OSError as error:
        if error.errno not in _BUSY or not new.exists():
            raise
        return False
    return True


def _two_steps(new: Path, path: Path, old: Path) -> None:
    path.rename(old)
    try:
        new.rename(path)
    except BaseException:
        _put_back(old, path)
        raise
    finally:
        if old.exists():  # no longer to be put back, even if this process is killed before it is removed
            old.rename(new.parent / f"{_OLD}-{time.monotonic_ns()}")


def _put_back(old: Path, path: Path) -> None:
    """Undo the first of two steps."""
    if old.exists() and not path.exists():
        old.rename(path)


def _moved_aside(path: Path) -> bool:
    """Whether a process is between the two steps."""
    return any(path.parent.glob(f"{literal(_prefix(path))}*/{INSIDE}/{_OLD}"))


def _prefix(path: Path) -> str:
    return f".{path.name}."


@contextmanager
def _held(path: Path) -> Iterator[tuple[int, int] | None]:
    """What tells this folder from another of its name; none gets the same within the block."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:  # it is not there, or the system opens no folders
        yield _identity(path)
        return
    try:
        yield _numbers(os.fstat(handle))
    finally:
        os.close(handle)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        return _numbers(path.stat())
    except OSError:
        return None


def _numbers(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
