"""Files that are either whole or not there."""

import hashlib
import os
import tempfile
from pathlib import Path

from spikefold.errors import InputError, shown


def as_path(what: str, value: object) -> Path:
    """Return what a caller gave as the path of `what`; raises InputError if it is none."""
    if not isinstance(value, str | os.PathLike) or "\0" in os.fspath(value):
        raise InputError(f"{what} must be a path, not {shown(value)}")
    return Path(value)


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write a file under a temporary name beside `path`, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
