"""A folder of arrays that took long to compute, found again by the files that they were computed from."""

import hashlib
import json
import logging
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

_logger = logging.getLogger(__name__)


def default_cache() -> Path:
    """The folder for prepared data where the user's system keeps caches."""
    return Path(platformdirs.user_cache_dir("spikefold")) / "data"


def files_key(options: Any, paths: Iterable[Path]) -> str:
    """SHA-256 of ``options`` (JSON) and the place, size and time of change of every file."""
    stats = [(path.resolve(), path.stat()) for path in paths]
    files = [[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in stats]
    return hashlib.sha256(json.dumps([options, files]).encode()).hexdigest()


def load_arrays(
    folder: Path, key: str, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, NDArray[np.uint8]] | None:
    """Return the uint8 arrays of these names and shapes stored under ``key``, None where there are none."""
    path = folder / f"{key}.npz"
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in shapes}
        if any(
            arrays[name].shape != shape or arrays[name].dtype != np.uint8 for name, shape in shapes.items()
        ):
            raise ValueError("arrays of other shapes or types")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        _logger.warning("ignoring the unreadable cache file %s: %s", path.name, error)
        return None
    return arrays


def store_arrays(folder: Path, key: str, arrays: Mapping[str, NDArray[np.uint8]]) -> None:
    """Store ``arrays`` under ``key``; a cache that cannot be written is logged, not an error."""
    whole: dict[str, Any] = dict(arrays)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez_compressed(file, **whole)
            os.replace(temporary, folder / f"{key}.npz")
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        _logger.warning("the data cache could not be written: %s", error)
