"""Locks that end with the process that holds them, however it ends."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # not a POSIX system: nothing is locked
    fcntl = None  # type: ignore[assignment]


_logger = logging.getLogger(__name__)

PATIENCE = 3600.0
"""Seconds to wait for a lock: no tool of the flow may run longer."""

_NOTICE = 20.0
"""Seconds of waiting after which the user is told."""


@contextmanager
def locked(path: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the lock file ``path``, after waiting for whoever holds it; the file is gone afterwards.

    On a file system without locks nobody waits.

    Raises
    ------
    TimeoutError
        If another process holds it for more than ``patience`` seconds, as one does that was stopped.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _wait(handle, path, patience)
        except TimeoutError:
            os.close(handle)
            raise
        if _names(path, handle):
            break
        os.close(handle)  # whoever held it has removed it
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _wait(handle: int, path: Path, patience: float) -> None:
    start = time.monotonic()
    told = False
    while _held_elsewhere(handle):
        waited = time.monotonic() - start
        holder = os.pread(handle, 20, 0).decode("ascii", "replace") or "unknown"
        if waited > patience:
            raise TimeoutError(
                f"Lock must be free within {patience:g} s, but process {holder} still holds {path}; "
                "end that process and try again"
            )
        if waited > _NOTICE and not told:
            _logger.warning("waiting for process %s, which computes the same: %s", holder, path)
            told = True
        time.sleep(min(0.5, 0.01 + waited / 10))


def _held_elsewhere(handle: int) -> bool:
    """Try to lock the file; whether another process holds it. Where nothing can be locked none does."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


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
