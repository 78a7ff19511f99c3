"""Argument checks shared by the layers; each returns the value it accepted."""

import math
from numbers import Real

from spikefold.errors import ModelError, shown
from spikefold.ir.network import MAX_STEPS

MOST = 2**31 - 1
"""Largest integer of any parameter: what torch's own take."""


def integer(subject: str, value: object, low: int, high: int | None = None) -> int:
    """Accept an integer in ``low..high`` (no upper bound if None). Raises ModelError naming ``subject``."""
    rule = f"an integer of at least {low}" if high is None else f"an integer from {low} to {high}"
    if high is None and isinstance(value, int) and value > MOST:
        rule, high = f"an integer from {low} to {MOST}", MOST
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ModelError(f"{subject} must be {rule}, not {shown(value)}")
    if high is not None and value > high:
        raise ModelError(f"{subject} must be {rule}, not {shown(value)}")
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
    raise ModelError(f"{subject} must be {rule}, not {shown(value)}")


def positive(subject: str, value: object) -> float:
    """Accept a finite number above zero. Raises ModelError naming ``subject``."""
    found = _finite(value)
    if found is not None and found > 0:
        return found
    raise ModelError(f"{subject} must be a finite number above 0, not {shown(value)}")


def _finite(value: object) -> float | None:
    """Return a finite real number as a float; None for anything else, truth values among it."""
    if isinstance(value, Real) and not isinstance(value, bool):
        try:
            return float(value) if math.isfinite(value) else None
        except OverflowError:  # an integer beyond all floats
            return None
    return None


def steps(subject: str, value: object) -> int:
    """Accept a number of time steps. Raises ModelError naming ``subject``."""
    return integer(f"{subject} steps (T)", value, 1, MAX_STEPS)


def choice(subject: str, value: object, allowed: tuple[str, ...]) -> str:
    """Accept one of ``allowed``. Raises ModelError naming ``subject`` and every allowed value."""
    if isinstance(value, str) and value in allowed:
        return value
    raise ModelError(f"{subject} must be one of {', '.join(map(repr, allowed))}, not {shown(value)}")


def pair(subject: str, value: object, low: int) -> tuple[int, int]:
    """Accept an integer of at least ``low``, or two of them (rows, columns); return the two."""
    both = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(both) == 2 and all(type(size) is int and low <= size <= MOST for size in both):
        return both
    rule = f"an integer of at least {low} or a pair (rows, columns) of them"
    raise ModelError(f"{subject} must be {rule}, not {shown(value)}")


def only(subject: str, value: object, allowed: object, reason: str = "") -> None:
    """Refuse a setting of torch's layer of that name unless it is the one value that is supported."""
    if value != allowed:
        raise ModelError(f"{subject} must be {allowed!r}, not {shown(value)}{reason}")


def boolean(subject: str, value: object) -> bool:
    """Accept True or False. Raises ModelError naming ``subject``."""
    if not isinstance(value, bool):
        raise ModelError(f"{subject} must be True or False, not {shown(value)}")
    return value
