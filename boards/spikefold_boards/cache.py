"""Results on disk, found again by the content they were computed from."""

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import platformdirs

from spikefold_boards.result import SynthResult

_logger = logging.getLogger(__name__)


def default_cache() -> Path:
    """The folder for results where the user's system keeps caches."""
    return Path(platformdirs.user_cache_dir("spikefold")) / "synth"


def content_key(settings: Iterable[str], files: Iterable[tuple[str, bytes]]) -> str:
    """SHA-256 over ``settings`` and over the names and contents of ``files``, in the order given.

    Every part is preceded by its length, so that no two different inputs run together into the same bytes.
    """
    digest = hashlib.sha256()
    parts = [text.encode() for text in settings]
    for name, content in files:
        parts += [name.encode(), content]
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def load_result(folder: Path, key: str) -> SynthResult | None:
    """The result stored under ``key``, or None where there is none or it cannot be read."""
    path = folder / f"{key}.json"
    try:
        result = SynthResult.from_json({**json.loads(path.read_text("utf-8")), "cached": True})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        _logger.warning("ignoring the unreadable cache file %s: %s", path.name, error)
        return None
    return result


def store_result(folder: Path, key: str, result: SynthResult) -> None:
    """Store ``result`` under ``key``; a cache that cannot be written is logged, not an error."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(result.to_json(), file, indent=1, sort_keys=True)
            os.replace(temporary, folder / f"{key}.json")
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        _logger.warning("the synthesis cache could not be written: %s", error)
