"""Builds from elsewhere: their Verilog and images must be what this program writes for their network."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from spikefold.errors import BuildError
from spikefold.flow.cache import Cache


def is_known(digest: str) -> bool:
    """Whether this user's own compile wrote the build with this digest, or it was compared before."""
    return Cache("builds").find(digest) is not None


def remember(digest: str) -> None:
    """Take the build with this digest for known from now on."""
    Cache("builds").keep(digest, lambda folder: None)


def check_origin(path: Path, held: Mapping[str, str], fresh: Mapping[str, bytes]) -> None:
    """Compare files of a build with what is written for the same network and plan.

    A manifest can be signed anew by whoever edits a file, so its checksums say nothing of where a build comes
    from; and Verilog may hold system tasks, which a simulator runs as programs of this user.

    Parameters
    ----------
    path
        The build directory.
    held
        SHA-256 of the files to compare, by their path relative to it.
    fresh
        What they must be.

    Raises
    ------
    BuildError
        A file differs, is missing, or is one too many.
    """
    for name in sorted(fresh.keys() | held):
        if name not in fresh:
            raise BuildError(
                f"Build {str(path)!r} must hold nothing but what its network and plan make, but holds "
                f"{name!r}; compile the model again"
            )
        if held.get(name) != hashlib.sha256(fresh[name]).hexdigest():
            raise BuildError(
                f"File {name!r} of build {str(path)!r} must be what this version writes for its network and "
                f"plan, but {'differs' if name in held else 'is missing'}: it was altered, or written by "
                "another version; compile the model again"
            )
