"""How a command fails: one line on stderr, an exit code and, with `--json`, one JSON object on stdout."""

import json
import sys

import click

from spikefold.errors import SpikefoldError, ToolError

_LONGEST = 2000  # letters of a line; the output of a tool may be longer


def check_stdout() -> None:
    """Raise OSError if results cannot be printed; let what no terminal can show be shown escaped.

    Called before a command runs, so that nothing is computed in vain.
    """
    if sys.stdout is None:
        raise OSError("Standard output must be open, as results are printed there, but it is closed")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def flush_stdout() -> None:
    """Write out what was printed. Raises OSError if that is not possible."""
    sys.stdout.flush()


def fail(error: Exception, as_json: bool) -> int:
    """Tell of an error as well as that is still possible; returns the exit code."""
    message = _message(error)
    _try_to_print(f"error: {message}", err=True)
    if as_json:
        _try_to_print(json.dumps({"error": message, "kind": type(error).__name__}), err=False)
    return int(getattr(error, "exit_code", 1))


def _message(error: Exception) -> str:
    if isinstance(error, ToolError):  # ends with the output of the tool, as it is
        return str(error)
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = ""
    if not isinstance(error, SpikefoldError | OSError):
        name = type(error).__name__
        text = f"Unexpected {name}{': ' if text else ''}{text}; --debug shows where, please report it"
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _try_to_print(text: str, err: bool) -> None:
    try:
        click.echo(text, err=err)
    except (OSError, ValueError):
        return
