"""Networks of this package in the formats of others, each loaded, with its package, on first use."""

from importlib import import_module
from typing import Any

from spikefold.errors import InputError, shown
from spikefold.packages import check_installed

FORMATS = {"nir": "nir"}
"""The formats by name, and the Python package that each needs; it is the extra of this project too."""


def exporter(name: str) -> Any:
    """The module of a format; it has `write(model, path, dt)`.

    Raises
    ------
    InputError
        If there is none of that name.
    MissingToolError
        If its package is not installed.
    """
    if name not in FORMATS:
        raise InputError(f"Format must be one of {', '.join(FORMATS)}, not {shown(name)}")
    check_installed(FORMATS[name], f"Exporting to {name}", f"pip install 'spikefold[{name}]'")
    return import_module(f"spikefold.exporters.{name}")
