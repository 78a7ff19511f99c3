"""The recipes and trained networks that come with the package, the folder `examples` of the repository."""

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from spikefold.errors import InputError
from spikefold.files import as_path, write_atomic

_FOLDER = "examples"


def write_examples(folder: Path | str) -> list[str]:
    """Copy the examples to a folder; files that are there already must be the same.

    Returns
    -------
    list of str
        Names of the files, relative to `folder`.

    Raises
    ------
    InputError
        If `folder` is a file, or holds another file of one of the names. Nothing is written then.
    """
    folder = as_path("Folder of examples", folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"Folder of examples must be a directory, but {str(folder)!r} is a file")
    files = _files(resources.files("spikefold") / _FOLDER)
    for name, data in files.items():
        path = folder / name
        if path.exists() and (not path.is_file() or path.read_bytes() != data):
            raise InputError(
                f"Example {str(path)!r} must be as it comes with spikefold, but another file is there; "
                "rename that, or name another folder"
            )
    for name, data in files.items():
        write_atomic(folder / name, data)
    return sorted(files)


def _files(place: Traversable, prefix: str = "") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in place.iterdir():
        name = prefix + entry.name
        found |= _files(entry, f"{name}/") if entry.is_dir() else {name: entry.read_bytes()}
    return found
