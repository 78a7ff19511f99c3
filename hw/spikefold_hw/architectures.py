"""The architectures: the one place where one is registered."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from spikefold.errors import InputError

if TYPE_CHECKING:
    from spikefold_hw.architecture import Architecture

ARCHITECTURES: dict[str, str] = {"streaming": "spikefold_hw.streaming"}
"""Package by name. It has the modules `config` (class `Config`; light to import) and `architecture`
(`ARCHITECTURE`, a `spikefold_hw.architecture.Architecture`)."""

DEFAULT = "streaming"


def config_of(name: str) -> type[Any]:
    """The configuration class of an architecture, without its gateware.

    Raises
    ------
    InputError
        If there is no such architecture.
    """
    kind: type[Any] = _member(name, "config", "Config")
    return kind


def find_architecture(name: str) -> "Architecture[Any, Any]":
    """The architecture of this name.

    Raises
    ------
    InputError
        If there is none.
    """
    found: Architecture[Any, Any] = _member(name, "architecture", "ARCHITECTURE")
    return found


def _member(name: str, module: str, member: str) -> Any:
    if name not in ARCHITECTURES:
        raise InputError(f"Architecture must be one of {', '.join(ARCHITECTURES)}, not {name!r}")
    return getattr(import_module(f"{ARCHITECTURES[name]}.{module}"), member)
