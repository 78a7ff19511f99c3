"""Temporary folders: gone with their block, and those that killed processes left, with the next one made."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spikefold.flow.locks import alive, left_behind

PREFIX = "spikefold-"
_MARK = "alive"


@contextmanager
def work_folder(parent: Path | None = None, prefix: str = PREFIX) -> Iterator[Path]:
    """An empty folder for the length of the block.

    Parameters
    ----------
    parent
        Where it is made; the system's folder for temporary files if None.
    prefix
        How its name starts. What killed processes left in ``parent`` under names that start so is removed.
    """
    parent = Path(tempfile.gettempdir()) if parent is None else parent
    for stale in _stale(parent, prefix):
        shutil.rmtree(stale, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        with alive(folder / _MARK):
            inside = folder / "work"
            inside.mkdir()
            yield inside
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """An empty folder to fill; it takes the place of ``path`` when the block ends without an error."""
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}."
    for stale in _stale(path.parent, prefix):
        _put_back(stale / "work" / "old", path)
    with work_folder(path.parent, prefix) as work:
        new, old = work / "new", work / "old"
        new.mkdir()
        yield new
        if path.exists():
            path.rename(old)
        try:
            new.rename(path)
        except BaseException:
            _put_back(old, path)
            raise


def _put_back(old: Path, path: Path) -> None:
    """Undo the first half of a swap."""
    if old.exists() and not path.exists():
        old.rename(path)


def _stale(parent: Path, prefix: str) -> Iterator[Path]:
    """Folders whose process has died, each locked while it is looked at."""
    for mark in parent.glob(f"{_literal(prefix)}*/{_MARK}"):
        with left_behind(mark) as dead:
            if dead:
                yield mark.parent


def _literal(text: str) -> str:
    """A pattern that matches ``text`` alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)
