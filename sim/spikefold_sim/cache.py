"""A folder of finished builds, named by the content that went into them."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import platformdirs

DEFAULT = Path(platformdirs.user_cache_dir("spikefold")) / "verilator"


class BuildCache:
    """Builds each thing once.

    Two processes may build the same thing at the same time: each works in a folder of its own, the first
    to finish renames it into place, the other takes what is there.

    Parameters
    ----------
    folder
        Where the builds are kept; the user's cache folder if None.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = DEFAULT if folder is None else folder

    def get(self, ingredients: Mapping[str, str], build: Callable[[Path], None]) -> Path:
        """The folder of the build with these ingredients, which `build` fills if there is none yet.

        Parameters
        ----------
        ingredients
            Everything the result depends on, as text by name.
        build
            Called with an empty folder; if it raises, nothing is kept.
        """
        final = self.folder / key_of(ingredients)
        if final.is_dir():
            return final
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".build-", dir=self.folder))
        try:
            build(temporary)
            _move(temporary, final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return final


def key_of(ingredients: Mapping[str, str]) -> str:
    """Hexadecimal SHA-256 of the ingredients, whatever their order."""
    text = json.dumps(dict(ingredients), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _move(temporary: Path, final: Path) -> None:
    try:
        os.rename(temporary, final)
    except OSError:
        if not final.is_dir():  # else another process was faster, with the same content
            raise
