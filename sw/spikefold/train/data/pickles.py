"""The dictionaries that CIFAR's python version is made of: pickles, read without running what is in them."""

import io
import pickle
import pickletools
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError, shown

_MOST_TUPLES = 1000  # a key of tuples inside one another would exhaust the stack
_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")  # NumPy 1 and 2


def read_pickle(path: Path) -> dict[str, Any]:
    """Return the dictionary pickled in ``path``, of numbers, bytes, text, lists, and uint8 arrays.

    A pickle names functions and has them called. Here the three names that stand for a NumPy array lead to
    stand-ins in this file, which only take arrays of uint8 as data; any other name is refused, so nothing
    that the file brings is ever looked up or run. Text of Python 2 comes as bytes, but for the keys.

    Raises
    ------
    InputError
        If the file cannot be read, is no whole pickle of one dictionary, or names anything else.
    """
    try:
        content = path.read_bytes()
        _check_instructions(content)
        found = _Unpickler(path, content).load()
    except InputError:
        raise
    except Exception as error:  # a broken pickle may fail in any way
        raise InputError(
            f"Data file '{path}' must be a whole pickle: {shown(error)}; fetch it again"
        ) from error
    if not isinstance(found, dict):
        raise InputError(f"Data file '{path}' must hold a dictionary, not {type(found).__name__}")
    return {
        key.decode("latin1") if isinstance(key, bytes) else key: (
            value.content if isinstance(value, _Array) else value
        )
        for key, value in found.items()
    }


def _check_instructions(content: bytes) -> None:
    """Refuse lengths beyond the file and places far off, for which the unpickler would make room at once."""
    tuples = 0
    for count, (operation, argument, _) in enumerate(pickletools.genops(content)):
        place = int(argument or 0) if operation.name.endswith("PUT") else 0
        if place > count:
            raise ValueError(f"place {shown(place)} after {count} instructions")
        tuples += "TUPLE" in operation.name
    if tuples > _MOST_TUPLES:
        raise ValueError(f"{tuples} tuples, more than {_MOST_TUPLES}")


class _Unpickler(pickle.Unpickler):
    def __init__(self, path: Path, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")
        self._path = path

    def find_class(self, module: str, name: str) -> Callable[..., Any] | str:
        if module in _MULTIARRAY and name == "_reconstruct":
            return self._reconstruct
        if (module, name) == ("numpy", "dtype"):
            return self._type
        if (module, name) == ("numpy", "ndarray"):
            return "ndarray"  # only ever an argument of _reconstruct
        raise InputError(
            f"Data file '{self._path}' must hold nothing but numbers, text, lists and arrays, "
            f"not '{module}.{name}', which could run code; it was not run"
        )

    def _reconstruct(self, *_: Any) -> "_Array":
        return _Array(self._path)

    def _type(self, code: Any, *_: Any) -> "_Type":
        if code not in ("u1", b"u1", "|u1", b"|u1"):
            raise InputError(
                f"Data file '{self._path}' must hold arrays of type 'u1' (uint8), not {shown(code)}"
            )
        return _Type()


class _Type:
    """Stands for the uint8 type; its byte order and flags say nothing."""

    def __setstate__(self, state: Any) -> None:
        pass


class _Array:
    """Becomes a uint8 array when its state comes: (version, shape, type, is Fortran, bytes)."""

    content: NDArray[np.uint8] | None = None

    def __init__(self, path: Path) -> None:
        self._path = path

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, content = state
        if not isinstance(kind, _Type) or fortran or not isinstance(content, bytes):
            raise InputError(f"Data file '{self._path}' must hold arrays of uint8 in C order")
        natural = isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape)
        if not natural or prod(shape) != len(content):
            raise InputError(
                f"Data file '{self._path}' must hold {shown(prod(shape)) if natural else 'the'} bytes for an "
                f"array of shape {shown(shape)}, not {len(content)}; fetch it again"
            )
        self.content = np.frombuffer(content, np.uint8).reshape(shape)
