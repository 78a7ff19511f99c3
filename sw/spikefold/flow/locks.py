"""Locks that end with the process that holds them, however it ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # not a POSIX system: nothing is locked
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``, after waiting for whoever holds it; the file is gone afterwards.

    On a file system without locks nobody waits.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        _lock(handle, wait=True)
        if _names(path, handle):
            break
        os.close(handle)  # whoever held it has removed it
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


@contextmanager
def alive(path: Path) -> Iterator[None]:
    """Mark with the file ``path``, for as long as this process lives, that the folder it is in is in use.

    The mark appears already locked, so that nobody can take it for one that was left behind; where nothing
    can be locked there is none.
    """
    fresh = path.with_suffix(".new")
    handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if _lock(handle, wait=True):
            fresh.rename(path)
        yield
    finally:
        os.close(handle)


@contextmanager
def left_behind(path: Path) -> Iterator[bool]:
    """Whether ``path`` is the mark of a process that has died; it stays locked within the block."""
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:  # another user's, or gone
        yield False
        return
    try:
        yield _lock(handle, wait=False) and _names(path, handle)
    finally:
        os.close(handle)


def _lock(handle: int, wait: bool) -> bool:
    """Whether the file could be locked."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _names(path: Path, handle: int) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False
