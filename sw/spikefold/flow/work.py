"""Temporary folders: gone with their block, and those that killed processes left, with the next one made."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from spikefold.flow.locks import alive, left_behind

PREFIX = "spikefold-"
MARK = "alive"
INSIDE = "work"


@contextmanager
def work_folder(
    parent: Path | None = None, prefix: str = PREFIX, rescue: Callable[[Path], object] = lambda left: None
) -> Iterator[Path]:
    """An empty folder for the length of the block.

    Parameters
    ----------
    parent
        Where it is made; the system's folder for temporary files if None.
    prefix
        How its name starts. What killed processes left in ``parent`` under names that start so is removed.
    rescue
        Called with each folder that a killed process had from here, before it is removed.
    """
    parent = Path(tempfile.gettempdir()) if parent is None else parent
    for left in left_folders(parent, prefix):
        rescue(left / INSIDE)
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        with alive(folder / MARK):
            inside = folder / INSIDE
            inside.mkdir()
            yield inside
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def left_folders(parent: Path, prefix: str) -> Iterator[Path]:
    """Folders of `work_folder` whose process has died, each locked while it is looked at."""
    for mark in parent.glob(f"{literal(prefix)}*/{MARK}"):
        with left_behind(mark) as dead:
            if dead:
                yield mark.parent


def literal(text: str) -> str:
    """A pattern that matches ``text`` alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)
