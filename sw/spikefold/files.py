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


def no_file(path: Path, what: str, kind: str = "file") -> str:
    """Say why the path of `what` is none of a file of this kind: nothing is there, or something else."""
    if path.exists():
        return f"{what} must be a {kind}, but is {'a directory' if path.is_dir() else 'no file'}"
    looked = "" if path.is_absolute() else f" in {str(Path.cwd())!r}"
    return f"{what} was not found{looked}; it must be a {kind}"


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
