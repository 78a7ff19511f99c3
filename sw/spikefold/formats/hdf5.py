"""HDF5 files of somebody else: what they ask for is checked before a library loads all of it."""

from pathlib import Path
from typing import Any

import h5py

from spikefold.errors import InputError
from spikefold.limits import DEPTH, claim, occupied

_MOST = 1 << 16
_BYTES_EACH = 64  # of a group or dataset beside its numbers


def check_hdf5(path: Path, what: str, *, error: type[InputError] = InputError) -> None:
    """Refuse a file that is no HDF5, is damaged, reaches outside itself or asks for too much memory.

    Parameters
    ----------
    what
        The name of the file in messages.
    error
        The class of the error.

    Raises
    ------
    InputError
        Links that are not plain, data in other files, groups that hold each other, more than 64 groups inside
        one another, more than 65536 entries, or arrays above `limits.MEMORY` together.
    """
    if not path.is_file():
        raise error(f"{what} must exist and be a file")
    try:
        with h5py.File(path, "r") as file:
            size = _Survey(what, error).size(file)
    except (OSError, RuntimeError, KeyError, ValueError) as fault:
        if isinstance(fault, InputError):
            raise
        raise error(f"{what} is no HDF5 file or is damaged ({fault})") from None
    claim(what, size, paid=occupied(path), error=error)


class _Survey:
    """Adds up what a file holds, each entry once."""

    def __init__(self, what: str, error: type[InputError]) -> None:
        self._what, self._error = what, error
        self._seen: set[int] = set()

    def size(self, group: Any, depth: int = 0) -> int:
        """Bytes of all arrays in a group and the groups in it."""
        if depth > DEPTH:
            raise self._error(f"{self._what} must have at most {DEPTH} groups inside one another")
        total = 0
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise self._error(f"{self._what} must hold its data itself, but {name!r} is a link")
            total += self._entry(name, group[name], depth)
        return total

    def _entry(self, name: str, entry: Any, depth: int) -> int:
        place = int(h5py.h5o.get_info(entry.id).addr)
        if place in self._seen:
            raise self._error(f"{self._what} must hold every entry once, but {name!r} is another one again")
        self._seen.add(place)
        if len(self._seen) > _MOST:
            raise self._error(f"{self._what} must hold at most {_MOST} entries, but has more")
        if isinstance(entry, h5py.Group):
            return _BYTES_EACH + self.size(entry, depth + 1)
        if not isinstance(entry, h5py.Dataset) or entry.is_virtual or entry.external:
            raise self._error(f"{self._what} must hold its data itself, but {name!r} lies elsewhere")
        return _BYTES_EACH + int(entry.nbytes)
