"""Text files."""

from pathlib import Path

from spikefold.errors import InputError
from spikefold.files import no_file
from spikefold.limits import TEXT, VERILOG, readable


def read_text(path: Path, what: str, *, most: int = TEXT, error: type[InputError] = InputError) -> str:
    """Return the UTF-8 text of a file, line ends as they are.

    Parameters
    ----------
    what
        The name of the file in messages, as in "Recipe 'a.toml'".
    most
        Bytes that it may have.
    error
        The class of the error.

    Raises
    ------
    InputError
        If it is missing or no file, too large, or not UTF-8.
    """
    try:
        return read_bytes(path, what, most=most, error=error).decode("utf-8")
    except UnicodeDecodeError as fault:
        raise error(f"{what} must be UTF-8 text, but is not: {fault}") from None


def read_verilog(path: Path) -> str:
    """Return the text of a Verilog file; raises InputError as `read_text`."""
    return read_text(path, f"Verilog file {str(path)!r}", most=VERILOG)


def read_bytes(path: Path, what: str, *, most: int, error: type[InputError] = InputError) -> bytes:
    """Return the bytes of a file of at most `most`; raises as `read_text`."""
    try:
        if not path.is_file():
            raise error(no_file(path, what))
        with path.open("rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as fault:
        if isinstance(fault, InputError):
            raise
        raise error(f"{what} must be readable: {fault}") from None
    if len(data) > most:
        raise error(f"{what} must have at most {readable(most)}, but has more")
    return data
