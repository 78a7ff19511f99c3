"""Arrays that took long to compute, kept in the cache by the files that they were computed from."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefold.flow.cache import Cache, key_of

_ARRAYS = "arrays.npz"


def data_cache(folder: Path | None = None) -> Cache:
    """The cache of prepared data; in the user's cache folder if ``folder`` is None."""
    return Cache("data", folder)


def files_key(options: Any, paths: Iterable[Path]) -> str:
    """The key of ``options`` (JSON) and the place, size and time of change of every file."""
    stats = [(path.resolve(), path.stat()) for path in paths]
    files = [[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in stats]
    return key_of({"options": json.dumps(options), "files": json.dumps(files)})


def load_arrays(cache: Cache, key: str) -> dict[str, NDArray[np.uint8]] | None:
    """Return the arrays kept under ``key``, None where there are none."""
    entry = cache.find(key)
    if entry is None:
        return None
    with np.load(entry / _ARRAYS, allow_pickle=False) as file:
        return dict(file)


def keep_arrays(cache: Cache, key: str, arrays: Mapping[str, NDArray[np.uint8]]) -> None:
    """Keep ``arrays`` under ``key``; a cache that cannot be written is logged, not an error."""

    def fill(folder: Path) -> None:
        np.savez_compressed(folder / _ARRAYS, **arrays)  # type: ignore[arg-type]

    cache.keep(key, fill)
