"""Live modules and state dicts from what a user names on the command line."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spikefold.errors import InputError, shown
from spikefold.formats.checkpoints import as_state, read_checkpoint

_NESTED = ("state_dict", "model_state_dict", "model", "net")


def live_module(text: str, weights: Path | None) -> torch.nn.Module:
    """The module that `FILE.py:NAME` names, a module or a function that makes one, in eval mode.

    The file is run as the Python program it is. `weights` is a state dict, which must fit exactly.

    Raises
    ------
    InputError
        If the file does not run, has no such name, or the weights do not fit.
    """
    file, colon, name = text.rpartition(":")
    if not colon or not name.isidentifier():
        raise InputError(f"Source must be FILE.py:NAME, a module or a function that makes one, not {text!r}")
    found = getattr(_run(Path(file)), name, None)
    try:
        module = found if isinstance(found, torch.nn.Module) else found() if callable(found) else None
    except Exception as error:
        raise InputError(f"Function {name!r} of {file!r} must make a module, but fails: {error!r}") from error
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"Name {name!r} of {file!r} must be a torch module or make one, not {shown(found)}")
    if weights is not None:
        _fill(module, weights)
    return module.eval()


def read_state(path: Path) -> dict[str, Tensor]:
    """The state dict in a file of `torch.save` or safetensors; of nested tables the usual one is taken.

    Pickles are read by torch's own reader of weights alone, which runs no code.

    Raises InputError if the file is missing, broken, or holds no state dict.
    """
    what = f"Weights {str(path)!r}"
    found = read_checkpoint(path, what)
    nested = [found[key] for key in _NESTED if isinstance(found.get(key), dict)]
    return as_state(nested[0] if nested else found, what)


def _run(file: Path) -> Any:
    """Run a user's Python file, with its folder on the path, as Python itself would."""
    if not file.is_file():
        raise InputError(f"Python file {str(file)!r} must exist; source is FILE.py:NAME")
    spec = importlib.util.spec_from_file_location(f"imported_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise InputError(f"Python file must end with .py, not {str(file)!r}")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent.resolve()))
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"Python file {str(file)!r} must run, but fails: {error!r}") from error
    finally:
        sys.path.pop(0)
    return module


def _fill(module: torch.nn.Module, path: Path) -> None:
    try:
        module.load_state_dict(read_state(path))
    except RuntimeError as error:
        raise InputError(f"Weights {str(path)!r} must fit the module: {error}") from error
