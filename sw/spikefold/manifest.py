"""The manifest of a build: read with limits, and everything in it of the type it must have."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikefold.codec import decode
from spikefold.errors import BuildError, InputError, shown
from spikefold.formats.plain import read_json
from spikefold_hw.parts.counters import Counter

SCHEMA = 3
MANIFEST = "manifest.json"

_NAME = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}/){0,4}[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class _Manifest:
    """What a manifest holds beside its own digest."""

    schema: int
    name: str
    top: str
    tools: dict[str, str]
    rtl: tuple[str, ...]
    files: dict[str, str]
    architecture: str
    plan: dict  # type: ignore[type-arg]  # the architecture reads it
    registers: tuple[Counter, ...]  # these two are for those who read a build without spikefold
    latencies: dict  # type: ignore[type-arg]
    info: dict  # type: ignore[type-arg]  # what `compile` reported


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of the build directory `path`, without its digest.

    Raises
    ------
    BuildError
        If there is none, or it is broken, edited or of another schema, lacks a field or has one of another
        type, or names a file outside the directory.
    """
    file = path / MANIFEST
    if not path.exists():
        raise BuildError(f"Build directory {str(path)!r} was not found; compile one first")
    if not file.is_file():
        raise BuildError(
            f"Build directory must hold {MANIFEST}, but {str(path)!r} does not; compile one first"
        )
    try:
        manifest = read_json(file, "it")
        schema, digest = manifest["schema"], manifest.pop("sha256", None)
    except (InputError, TypeError, KeyError, AttributeError):
        raise BuildError(f"Manifest of {str(path)!r} must be whole JSON, but is not; compile again") from None
    if schema != SCHEMA:
        raise BuildError(f"Schema of {str(path)!r} must be {SCHEMA}, not {shown(schema)}; compile again")
    if digest != digest_of(manifest):
        raise BuildError(f"Manifest of {str(path)!r} must be as written, but was edited; compile again")
    _check(path, manifest)
    found: dict[str, Any] = manifest
    return found


def digest_of(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest without its own."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def files_of(path: Path) -> set[str]:
    """Files that the build at `path` is made of, changed or not; none if there is no build."""
    try:
        manifest = read_json(path / MANIFEST, "it")
        return {MANIFEST, *manifest["files"]} if "plan" in manifest or "profile" in manifest else set()
    except (InputError, TypeError, KeyError):
        return set()


def _check(path: Path, manifest: Mapping[str, Any]) -> None:
    try:
        found = decode(_Manifest, dict(manifest), f"Manifest of {str(path)!r}")
    except InputError as error:
        raise BuildError(f"{error}; compile again") from None
    for name, digest in found.files.items():
        if not _NAME.fullmatch(name):
            raise BuildError(f"Manifest of {str(path)!r} must name files inside it, not {shown(name)}")
        if not _DIGEST.fullmatch(digest):
            raise BuildError(
                f"Manifest of {str(path)!r} must give a sha256 for {name!r}, not {shown(digest)}"
            )
    if not set(found.rtl) <= found.files.keys():
        raise BuildError(f"Manifest of {str(path)!r} must give a sha256 for every Verilog file")
