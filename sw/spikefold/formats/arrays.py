"""`.npy` files and `.npz` archives: header, names and sizes first, then the numbers; never an object."""

import os
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError, shown
from spikefold.files import no_file
from spikefold.limits import TEXT, claim, occupied, readable

Array = NDArray[Any]

_WIDEST = 8  # bytes of a number, whatever it is turned into
_PIECE = 1 << 20  # bytes read at a time: a damaged stream is given up early
_KINDS = "biufc"  # what is plain numbers
_MOST_AXES = 32
_HEADER = 64 << 10  # bytes of an array's header
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DIRECTORY = 4 << 20  # bytes of an archive's list of members
_END, _ZIP64 = b"PK\x05\x06", b"PK\x06\x07"

# Whatever zipfile and zlib raise on an edited or truncated file.
_BROKEN = (
    *(OSError, ValueError, EOFError, KeyError, TypeError, AttributeError),
    *(RuntimeError, OverflowError, MemoryError, IndexError),
    *(zipfile.BadZipFile, zlib.error),
)


@dataclass(frozen=True)
class Header:
    """What an array says of itself before its numbers come."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool

    @property
    def size(self) -> int:
        """Bytes of its numbers."""
        return self.dtype.itemsize * prod(self.shape)

    @property
    def needs(self) -> int:
        """Bytes that its numbers take, as they are and as whatever they are turned into."""
        return self.size + _WIDEST * prod(self.shape)

    def __str__(self) -> str:
        return f"{self.dtype} of shape {shown(list(self.shape))}"


def read_npy(path: Path, what: str) -> Array:
    """Return the array of a `.npy` file.

    Raises
    ------
    InputError
        If it is missing, no whole `.npy` file of plain numbers, or above the memory limit.
    """
    if not path.is_file():
        raise InputError(no_file(path, what, ".npy file"))
    try:
        with path.open("rb") as file:
            paid = occupied(path)
            return _array(file, path.stat().st_size, lambda header: claim(what, header.needs, paid=paid))
    except InputError:
        raise
    except _BROKEN as fault:
        raise InputError(f"{what} must be a whole .npy file of plain numbers (numpy.save): {fault}") from None


class Archive:
    """An open `.npz` archive; use `opened`.

    Attributes
    ----------
    names
        Its members.
    """

    def __init__(self, file: zipfile.ZipFile, what: str, paid: int) -> None:
        self._file, self._what, self._paid, self._asked = file, what, paid, 0
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in file.infolist():
            if info.filename in self._members:
                raise ValueError(f"member {shown(info.filename)} must come once, but comes twice")
            if info.compress_type not in _METHODS or info.flag_bits & 1:
                raise ValueError(f"member {shown(info.filename)} must be deflated, without a password")
            self._members[info.filename] = info
        self.names = frozenset(self._members)

    def text(self, name: str) -> bytes:
        """Bytes of a member that is a text of at most `spikefold.limits.TEXT`."""
        info = self._member(name)
        if info.file_size > TEXT:
            raise ValueError(
                f"member {name!r} must have at most {readable(TEXT)}, not {readable(info.file_size)}"
            )
        with self._file.open(info) as file:
            return b"".join(_pieces(file, info.file_size))

    def array(self, name: str, check: Callable[[Header], None] = lambda header: None) -> Array:
        """The array in a member; `check` sees its header before the numbers are read, and may refuse it."""

        def admit(header: Header) -> None:
            check(header)
            self._asked += header.needs
            claim(f"{self._what} up to array {name!r}", self._asked, paid=self._paid)

        info = self._member(name)
        with self._file.open(info) as file:
            return _array(file, info.file_size, admit)

    def _member(self, name: str) -> zipfile.ZipInfo:
        if name not in self._members:
            raise ValueError(f"member {name!r} is missing")
        return self._members[name]


@contextmanager
def opened(path: Path, what: str) -> Iterator[Archive]:
    """Open a `.npz` archive for the length of the block; whatever is broken in it is an InputError.

    Raises
    ------
    InputError
        If it is missing or no whole archive, or a member is broken or above the memory limit.
    """
    if not path.is_file():
        raise InputError(no_file(path, what, ".npz file"))
    try:
        with path.open("rb") as raw:
            _check_directory(raw)
            with zipfile.ZipFile(raw) as file:
                yield Archive(file, what, occupied(path))
    except InputError:
        raise
    except _BROKEN as fault:
        raise InputError(f"{what} must be a whole .npz file of plain numbers: {fault}") from None


def expect(name: str, dtype: str, axes: int, header: Header) -> None:
    """Raise InputError unless an array has this type and number of axes."""
    if header.dtype != np.dtype(dtype) or len(header.shape) != axes:
        raise InputError(f"Array {name!r} must be {dtype} with {axes} axes, not {header}")


def _check_directory(raw: IO[bytes]) -> None:
    """Refuse a list of members so long that reading it takes more memory than what it lists."""
    length = raw.seek(0, os.SEEK_END)
    raw.seek(max(0, length - (1 << 16) - 22))
    end = raw.read()
    place = end.rfind(_END)
    size = int.from_bytes(end[place + 12 : place + 16], "little") if place >= 0 else 0
    if size > _DIRECTORY or (_ZIP64 in end and length > _DIRECTORY and size == 0xFFFFFFFF):
        raise ValueError(
            f"its list of members must have at most {readable(_DIRECTORY)}, not {readable(size)}"
        )
    raw.seek(0)


def _array(file: IO[bytes], length: int, admit: Callable[[Header], None]) -> Array:
    """Read an array of which `length` bytes are said to be there, header and all; `admit` may refuse it."""
    start = _Counted(file)
    header = _header(start)
    if start.count + header.size != length:
        raise ValueError(
            f"an array of {header} must have {shown(header.size)} bytes after its header, "
            f"not {length - start.count}"
        )
    admit(header)
    array = np.empty(prod(header.shape), header.dtype)
    view, place = array.view(np.uint8), 0
    for piece in _pieces(file, header.size):
        view[place : place + len(piece)] = np.frombuffer(piece, np.uint8)
        place += len(piece)
    return array.reshape(header.shape, order="F" if header.fortran else "C")


def _header(file: "_Counted") -> Header:
    """Read the header of a `.npy` file; numpy may raise anything on a damaged one."""
    read: Mapping[tuple[int, int], Callable[[Any], tuple[tuple[int, ...], bool, np.dtype[Any]]]] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about headers that Python 2 wrote
        try:
            version = np.lib.format.read_magic(file)
            shape, fortran, dtype = read[version](file)
        except Exception as fault:
            raise ValueError(f"its header is damaged ({type(fault).__name__}: {_line(fault)})") from None
    if dtype.hasobject or dtype.kind not in _KINDS:
        raise ValueError(f"an array must hold numbers, not {shown(dtype)}; Object arrays cannot be loaded")
    if len(shape) > _MOST_AXES or any(type(n) is not int or not 0 <= n < 1 << 62 for n in shape):
        raise ValueError(
            f"an array must have at most {_MOST_AXES} axes of natural numbers, not {shown(shape)}"
        )
    return Header(dtype, tuple(shape), bool(fortran))


def _line(fault: Exception) -> str:
    return " ".join(str(fault).split())[:200]


class _Counted:
    """A file of which a header is read: it counts what is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.count = file, 0

    def read(self, size: int = _HEADER, /) -> bytes:
        if size > _HEADER:
            raise ValueError(f"a header must have at most {_HEADER} bytes, not {size}")
        data = self._file.read(size)
        self.count += len(data)
        return data


def _pieces(file: IO[bytes], size: int) -> Iterator[bytes]:
    """Read `size` bytes, and see that no more come."""
    left = size
    while left:
        piece = file.read(min(left, _PIECE))
        if not piece:
            raise EOFError(f"it ends {left} bytes early")
        left -= len(piece)
        yield piece
    if file.read(1):
        raise ValueError(f"it must end after {size} bytes, but goes on")
