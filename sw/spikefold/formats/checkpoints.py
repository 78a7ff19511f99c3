"""Checkpoints of torch: nothing but tensors and plain values is ever built from them."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spikefold.errors import InputError
from spikefold.formats.tensors import check_numbers, read_tensors
from spikefold.limits import claim, occupied

_ZIP = b"PK\x03\x04"


def read_checkpoint(path: Path, what: str, *, error: type[InputError] = InputError) -> dict[str, Any]:
    """Read what `torch.save` wrote, through torch's reader of weights alone, or a safetensors file.

    Parameters
    ----------
    what
        The name of the file in messages.
    error
        The class of the error.

    Raises
    ------
    InputError
        If it is missing, damaged, of torch before 1.6, holds objects other than tensors, numbers, texts and
        tables of them, asks for too much memory, or is no table.
    """
    if not path.is_file():
        raise error(f"{what} must exist and be a file")
    with path.open("rb") as file:
        head = file.read(len(_ZIP))
    if head != _ZIP:
        return dict(read_tensors(path, what, error=error).tensors)
    try:
        with zipfile.ZipFile(path) as archive:
            claim(
                what, sum(member.file_size for member in archive.infolist()), paid=occupied(path), error=error
            )
        found = torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except (pickle.UnpicklingError, zipfile.BadZipFile, OSError, RuntimeError, ValueError, KeyError) as fault:
        first = str(fault).strip().splitlines()[:1]
        raise error(f"{what} is no checkpoint of tensors alone, or is damaged ({' '.join(first)})") from None
    if not isinstance(found, dict):
        raise error(f"{what} must hold a table, not a {type(found).__name__}")
    return found


def as_state(found: Any, what: str, *, error: type[InputError] = InputError) -> dict[str, Tensor]:
    """Return a state dict's tensors by name, each checked; raises InputError if it is none."""
    if not isinstance(found, dict) or not found:
        raise error(f"{what} must be a table of tensors, not {type(found).__name__}")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise error(f"{what} must be a table of tensors, but holds {name!r}, a {type(value).__name__}")
        check_numbers(name, value, error)
    return dict(found)
