"""One cache for whatever takes long to compute, found again by the content it was computed from."""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from spikefold.files import sha256
from spikefold.flow.locks import locked
from spikefold.flow.upkeep import STAMP, Kind, cache_root, room_for
from spikefold.flow.work import work_folder

_logger = logging.getLogger(__name__)


class Cache:
    """A folder of entries; an entry is a folder of files.

    Each entry lists its files with their SHA-256. What is not as listed counts as missing and is computed
    anew, so a truncated or edited file is never used. Of several processes that want the same entry one
    computes it and the others wait for it; an entry that a killed process began is never seen. In the user's
    cache folder those that were not used for longest go when it grows beyond its limit (`upkeep`).

    Parameters
    ----------
    kind
        What the entries are, the name of their folder in the user's cache folder.
    folder
        Where to keep them instead.
    """

    def __init__(self, kind: Kind, folder: Path | None = None) -> None:
        self._root = cache_root() if folder is None else None
        self.folder = cache_root() / kind if folder is None else folder

    def find(self, key: str) -> Path | None:
        """The entry with this key if there is a whole one; a damaged one is logged."""
        entry = self.folder / key
        if not entry.is_dir():
            return None
        fault = _fault(entry)
        if fault is not None:
            _logger.warning("ignoring a damaged cache entry: %s in %s", fault, entry)
            return None
        with suppress(OSError):  # a cache that cannot be written still serves
            os.utime(entry / STAMP)
        return entry

    def get(self, key: str, build: Callable[[Path], object]) -> Path:
        """The entry with this key, which ``build`` fills if there is no whole one.

        Parameters
        ----------
        key
            From `key_of`.
        build
            Called with an empty folder; if it raises, nothing is kept.

        Raises
        ------
        OSError
            If the cache cannot be written.
        """
        return self.find(key) or self._built(key, build)

    def keep(self, key: str, fill: Callable[[Path], object]) -> None:
        """Like `get`, for what is at hand already: a cache that cannot be written is logged, not an error."""
        try:
            self.get(key, fill)
        except OSError as error:
            _logger.warning("the cache could not be written: %s", error)

    def _built(self, key: str, build: Callable[[Path], object]) -> Path:
        entry = self.folder / key
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / f".{key}.lock"), work_folder(self.folder, ".new-") as work:
            if (found := self.find(key)) is not None:  # another process was faster
                return found
            new = work / "new"
            new.mkdir()
            build(new)
            files = sorted(path for path in new.rglob("*") if path.is_file())
            manifest = {path.relative_to(new).as_posix(): sha256(path) for path in files}
            (new / STAMP).write_text(json.dumps(manifest, indent=1), "utf-8")
            with nullcontext() if self._root is None else room_for(self._root, new):
                if entry.exists():
                    entry.rename(work / "old")
                new.rename(entry)
        return entry


def key_of(ingredients: Mapping[str, str | bytes]) -> str:
    """Hexadecimal SHA-256 of everything a result depends on, by name, whatever the order.

    Every part is preceded by its length, so that no two different inputs run together into the same bytes.
    """
    digest = hashlib.sha256()
    for name in sorted(ingredients):
        for part in (name, ingredients[name]):
            data = part.encode() if isinstance(part, str) else part
            digest.update(len(data).to_bytes(8, "little"))
            digest.update(data)
    return digest.hexdigest()


def _fault(entry: Path) -> str | None:
    """What is wrong with an entry."""
    try:
        manifest: Any = json.loads((entry / STAMP).read_text("utf-8"))
        for name, digest in manifest.items():
            if sha256(entry / name) != digest:
                return f"{name} was changed"
    except (OSError, ValueError, AttributeError, TypeError) as error:
        return str(error)
    return None
