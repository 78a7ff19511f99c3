"""What a file or a caller may ask for: one limit of memory, and limits of text, each in this one place.

A file says how large the things in it are long before it holds them. Every such size is claimed here before
anything is allocated, so that a file of a few bytes cannot take the machine's memory. A file may always ask
for some times as many bytes as it occupies itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path

from spikefold.errors import InputError, ModelError, shown

MEMORY = 512 << 20
"""Bytes that one file or model may ask for, unless `memory` allows more."""

PAID = 16
"""How many times the bytes that it occupies a file may ask for in any case."""

TEXT = 8 << 20
"""Bytes of a text that is parsed: a recipe, a manifest, the description of a model."""

VERILOG = 256 << 20
"""Bytes of a Verilog file."""

DEPTH = 64
"""Lists and tables inside one another."""

LAYERS = 4096
"""Layers of a model."""

INTEGER_BITS = 64
"""Of an integer in a text, its sign among them."""


@dataclass
class _State:
    """The limit in force, and what the model being built has claimed so far."""

    memory: int = MEMORY
    whole: str = ""
    allowed: int = 0
    spent: int = 0
    layers: int = 0


_state = _State()


@contextmanager
def memory(limit: int) -> Iterator[None]:
    """Let files and models ask for `limit` bytes within the block, in place of `MEMORY`.

    Raises
    ------
    InputError
        If it is not a positive integer.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise InputError(f"Memory limit must be a positive number of bytes, not {shown(limit)}")
    before, _state.memory = _state.memory, limit
    try:
        yield
    finally:
        _state.memory = before


def claim(what: str, size: int, *, paid: int = 0, error: type[InputError] = InputError) -> None:
    """Refuse something of `size` bytes that is above the limit; call it before allocating.

    Parameters
    ----------
    what
        The name of the thing in the message.
    paid
        Bytes that the file which asks for it occupies.
    error
        The class of the error.

    Raises
    ------
    InputError
        If it is too large.
    """
    _check(what, size, max(_state.memory, PAID * paid), error)


def claim_tensor(what: str, shape: tuple[int, ...], *, item: int = 4) -> None:
    """Claim a part of a model of this shape with `item` bytes a number; within `building` all of them add up.

    Raises
    ------
    ModelError
        If it, or the model with it, is too large, or the model has too many parts.
    """
    size = item * prod(shape)
    if not _state.whole:
        _check(what, size, _state.memory, ModelError)
        return
    _state.spent += size
    _state.layers += 1
    if _state.layers > LAYERS:
        raise ModelError(f"{_state.whole} must have at most {LAYERS} layers with tensors, but has more")
    _check(f"{_state.whole} up to {what}", _state.spent, _state.allowed, ModelError)


@contextmanager
def building(whole: str, paid: int = 0) -> Iterator[None]:
    """Count what is claimed within the block as parts of one model, `whole` in messages."""
    global _state
    outer = _state
    _state = _State(outer.memory, whole, max(outer.memory, PAID * paid))
    try:
        yield
    finally:
        _state = outer


def occupied(path: Path) -> int:
    """Bytes that a file really takes: of one with holes fewer than its size."""
    found = path.stat()
    blocks = getattr(found, "st_blocks", None)
    return found.st_size if blocks is None else min(found.st_size, 512 * int(blocks))


def parse_size(text: str) -> int:
    """Bytes from a text like `900M` or `4G`; K, M, G and T are powers of 1024.

    Raises
    ------
    InputError
        If it is no such text.
    """
    digits, unit = (text[:-1], text[-1].upper()) if text[-1:].upper() in _UNITS else (text, "")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 16 and int(digits)):
        raise InputError(f"Memory limit must be bytes as in 900M or 4G, not {shown(text)}")
    return int(digits) << _UNITS.get(unit, 0)


_UNITS = {"K": 10, "M": 20, "G": 30, "T": 40}


def _check(what: str, size: int, allowed: int, error: type[InputError]) -> None:
    if size > allowed:
        raise error(
            f"{what} must need at most {readable(allowed)} of memory, but needs {readable(size)}; where that "
            "is meant, raise the limit with --memory-limit or spikefold.limits.memory(bytes)"
        )


def readable(size: int) -> str:
    """A number of bytes for people."""
    if size.bit_length() > 70:
        return f"over 2^{size.bit_length() - 1} bytes"
    for unit, shift in (("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 1 << shift:
            return f"{size / (1 << shift):.1f} {unit}"
    return f"{size} bytes"
