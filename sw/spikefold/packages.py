"""Python packages that only some users need."""

import importlib.util

from spikefold.errors import MissingToolError


def check_installed(package: str, purpose: str, install: str) -> None:
    """Raise MissingToolError, with the command that mends it, unless a package is installed."""
    if importlib.util.find_spec(package) is None:
        raise MissingToolError(
            f"{purpose} needs the package {package!r}, which is not installed; install it with: {install}"
        )
