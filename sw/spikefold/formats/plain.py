"""Plain values of JSON and TOML texts: no depth, number or length that a later step could stumble over."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any, NoReturn

from spikefold.errors import InputError, shown
from spikefold.formats.text import read_text
from spikefold.limits import DEPTH, INTEGER_BITS, TEXT, readable

RECIPE = 256 << 10
"""Bytes of a TOML text; its parser takes long for some long ones."""

_KEY_PARTS = 16
_DIGITS = 20  # of the longest 64-bit integer
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONG_KEY = re.compile(rf"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){{{_KEY_PARTS}}}""")


def parse_json(text: str | bytes, what: str, *, error: type[InputError] = InputError) -> Any:
    """Return the value of a JSON text.

    Objects, arrays, text, 64-bit integers, finite floats, truth values and null; `DEPTH` levels at most, and
    no key twice in one object.

    Parameters
    ----------
    what
        The name of the whole in messages.
    error
        The class of the error.

    Raises
    ------
    InputError
        If it is anything else, or longer than `TEXT`.
    """
    if len(text) > TEXT:
        raise error(f"{what} must have at most {readable(TEXT)}, but has {readable(len(text))}")
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = json.loads(
            text, parse_int=_integer, parse_constant=_refuse_constant, object_pairs_hook=_object
        )
        return _checked(value)
    except (ValueError, RecursionError) as fault:
        raise error(f"{what} must be JSON: {_why(fault)}") from None


def read_json(path: Path, what: str, *, error: type[InputError] = InputError) -> Any:
    """Return the value of a JSON file; raises as `parse_json` and `read_text`."""
    return parse_json(read_text(path, what, error=error), what, error=error)


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Return the table of a TOML file.

    Raises
    ------
    InputError
        If it is missing, longer than `RECIPE`, no TOML, has integers beyond 64 bits, or is nested deeper than
        `DEPTH`.
    """
    text = read_text(path, what, most=RECIPE)
    if _LONG_KEY.search(text):
        raise InputError(f"{what} must be TOML: a key must have fewer than {_KEY_PARTS} parts")
    try:
        table: dict[str, Any] = _checked(tomllib.loads(text))
    except (ValueError, RecursionError) as fault:
        raise InputError(f"{what} must be TOML: {_why(fault)}") from None
    return table


def _why(fault: Exception) -> str:
    return "lists and tables are nested too deeply" if isinstance(fault, RecursionError) else str(fault)


def _integer(text: str) -> int:
    if len(text.removeprefix("-")) > _DIGITS:
        raise ValueError(f"an integer must have at most {_DIGITS} digits, not {len(text)}")
    return int(text)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"a number must be finite, not {name}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key must come once in an object, but one comes twice")
    return found


def _checked(whole: Any) -> Any:
    """Check depth, integers and text of a value, without recursion."""
    waiting = [(whole, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, dict | list):
            if depth > DEPTH:
                raise ValueError(f"lists and tables must be nested at most {DEPTH} deep")
            members = [*value, *value.values()] if isinstance(value, dict) else value
            waiting += [(member, depth + 1) for member in members]
        elif isinstance(value, str):
            if _SURROGATE.search(value):
                raise ValueError(f"text must be Unicode, without lone surrogates, not {shown(value)}")
        elif type(value) is int and not -(1 << (INTEGER_BITS - 1)) <= value < 1 << INTEGER_BITS:
            raise ValueError(f"an integer must have at most {INTEGER_BITS} bits, not {shown(value)}")
    return whole
