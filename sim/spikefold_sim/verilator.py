"""How Verilator is called: first its own run, then make with what its makefile lacks."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from spikefold.flow.run import TIMEOUT, run
from spikefold.flow.tools import Tool
from spikefold_sim.wrapper import TOP

OBJECTS = "obj"
"""Folder of the generated code and of all that is compiled, in the folder where Verilator runs."""

FLAGS = (
    *("--cc", "--exe", "--prefix", "Vtop", "--top-module", TOP, "-o", TOP),
    *("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert", "--no-timing"),
    *("-CFLAGS", "-I.."),
    # files of a size that g++ takes in its stride: half the time for a large design, and work for every core
    *("--output-split", "5000"),
    # what every Verilog file that Amaranth emits gives cause for
    *("-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC", "-Wno-CASEINCOMPLETE", "-Wno-CASEOVERLAP", "-Wno-COMBDLY"),
    *("-Wno-UNSIGNED", "-Wno-CMPCONST", "-Wno-UNOPTFLAT", "-Wno-fatal"),
)

FAST, SLOW = "-O3", "-O0"
"""How hot code and code that runs once are compiled."""

PROGRAMS = {"CXX": "g++", "LINK": "g++", "AR": "ar", "PYTHON3": sys.executable}
"""PyPI's build names those of the machine it was made on."""


def verilate(tool: Tool, folder: Path, files: Sequence[str], flags: Sequence[str]) -> None:
    """Generate C++ and a makefile in `OBJECTS` for Verilog, and for C++ that goes with it, in ``folder``."""
    run(tool, (*FLAGS, *flags, "-Mdir", OBJECTS, *files), folder, timeout=TIMEOUT)


def make(tool: Tool, folder: Path, makefile: str, variables: Mapping[str, str]) -> str:
    """Run make on what `verilate` has generated in ``folder``; what it prints."""
    given = (f"{name}={value}" for name, value in {**PROGRAMS, **variables}.items())
    arguments = ("-C", OBJECTS, "-f", makefile, "-j", jobs(), *given)
    program = Tool("make", ("make",), variables=tool.variables)
    return run(program, arguments, folder, timeout=TIMEOUT).output


def root_of(tool: Tool) -> Path:
    """The VERILATOR_ROOT of a Verilator: its package's folder, or what it says itself."""
    if tool.root is not None:
        return tool.root
    return Path(run(tool, ("--getenv", "VERILATOR_ROOT"), Path.cwd(), timeout=60).output.strip())


def jobs() -> str:
    """How many processes a build may use: one for each core this process may run on."""
    return str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
