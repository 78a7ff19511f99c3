"""Argument checks shared by the layers; each returns the value it accepted."""

import math
from numbers import Real

from spikefold.errors import ModelError


def integer(subject: str, value: object, low: int, high: int | None = None) -> int:
    """Accept an integer in ``low..high`` (no upper bound if None). Raises ModelError naming ``subject``."""
    rule = f"an integer of at least {low}" if high is None else f"an integer from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ModelError(f"{subject} must be {rule}, not {value!r}")
    if high is not None and value > high:
        raise ModelError(f"{subject} must be {rule}, not {value!r}")
    return value


def number(subject: str, value: object, low: float = -math.inf, high: float = math.inf) -> float:
    """Accept a finite real number in the closed range ``low..high``. Raises ModelError naming ``subject``."""
    found = _finite(value)
    if found is not None and low <= found <= high:
        return found
    if math.isinf(low) and math.isinf(high):
        rule = "a finite number"
    elif math.isinf(high):
        rule = f"a finite number of at least {low:g}"
    else:
        rule = f"a number from {low:g} to {high:g}"
    raise ModelError(f"{subject} must be {rule}, not {value!r}")


def positive(subject: str, value: object) -> float:
    """Accept a finite number above zero. Raises ModelError naming ``subject``."""
    found = _finite(value)
    if found is not None and found > 0:
        return found
    raise ModelError(f"{subject} must be a finite number above 0, not {value!r}")


def _finite(value: object) -> float | None:
    """Return a finite real number as a float; None for anything else, truth values among it."""
    if isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None


def choice(subject: str, value: object, allowed: tuple[str, ...]) -> str:
    """Accept one of ``allowed``. Raises ModelError naming ``subject`` and every allowed value."""
    if isinstance(value, str) and value in allowed:
        return value
    raise ModelError(f"{subject} must be one of {', '.join(map(repr, allowed))}, not {value!r}")


def pair(subject: str, value: object, low: int) -> tuple[int, int]:
    """Accept an integer of at least ``low``, or two of them (rows, columns); return the two."""
    both = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(both) == 2 and all(type(size) is int and size >= low for size in both):
        return both
    raise ModelError(
        f"{subject} must be an integer of at least {low} or a pair (rows, columns) of them, not {value!r}"
    )


def only(subject: str, value: object, allowed: object, reason: str = "") -> None:
    """Refuse a setting of torch's layer of that name unless it is the one value that is supported."""
    if value != allowed:
        raise ModelError(f"{subject} must be {allowed!r}, not {value!r}{reason}")


def boolean(subject: str, value: object) -> bool:
    """Accept True or False. Raises ModelError naming ``subject``."""
    if not isinstance(value, bool):
        raise ModelError(f"{subject} must be True or False, not {value!r}")
    return value
