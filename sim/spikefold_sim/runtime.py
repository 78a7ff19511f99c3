"""Verilator's runtime and a precompiled header, the same for every design: compiled once and kept.

Of 20 s of g++ for a small network 9 go into the runtime, 6 into the header that all generated files begin
with, and 5 into the network.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from spikefold.flow.cache import Cache, key_of
from spikefold.flow.run import run
from spikefold.flow.tools import Tool
from spikefold_sim.verilator import FAST, FLAGS, OBJECTS, SLOW, make, verilate
from spikefold_sim.wrapper import TOP

HEADER = "runtime.h"

_INCLUDES = """\
#include "verilated.h"
#include <chrono>
#include <memory>
#include <string>
#include <vector>
"""
# The import takes in the runtime of functions in C, as the flag --vpi does that of cocotb's interface.
_EMPTY = f"""\
module {TOP} (input wire clk);
import "DPI-C" function void nothing();
initial nothing();
endmodule
"""
_MAKEFILE = f"""\
include Vtop.mk
all: $(VK_GLOBAL_OBJS) {HEADER}.fast.gch {HEADER}.slow.gch
.DEFAULT_GOAL := all
"""


def find_runtime(tool: Tool, cache: Cache, flags: Sequence[str], texts: Mapping[str, str]) -> Path:
    """Folder with the objects of the runtime, ``*.o``, and with `HEADER`, precompiled for `FAST` and `SLOW`.

    Parameters
    ----------
    tool
        Verilator.
    cache
        Where it is kept.
    flags, texts
        What the runtime depends on beside `FLAGS`: what is traced, and files that it includes.
    """

    def build(folder: Path) -> None:
        for name, text in {**texts, "empty.sv": _EMPTY}.items():
            (folder / name).write_text(text)
        verilate(tool, folder, ("empty.sv",), ("--vpi", *flags))
        objects = folder / OBJECTS
        (objects / HEADER).write_text(_INCLUDES)
        (objects / "runtime.mk").write_text(_MAKEFILE)
        make(tool, folder, "runtime.mk", {"OPT_FAST": FAST, "OPT_SLOW": SLOW})
        for file in (*objects.glob("*.o"), *objects.glob(f"{HEADER}*")):
            file.rename(folder / file.name)
        shutil.rmtree(objects)
        for kind in ("fast", "slow"):  # for a compiler that does not take the precompiled one
            shutil.copyfile(folder / HEADER, folder / f"{HEADER}.{kind}")

    compiler = run(Tool("g++", ("g++",)), ("--version",), Path.cwd(), timeout=60).output
    parts = {
        **texts,
        "includes": _INCLUDES,
        "empty": _EMPTY,
        "flags": "\n".join((*FLAGS, FAST, SLOW, *flags)),
        "tool": f"{tool.name} {tool.version} {tool.command[0]}",
        "compiler": compiler,
    }
    return cache.get(key_of(parts), build)


def use_runtime(runtime: Path, folder: Path) -> dict[str, str]:
    """Take the runtime into a build in ``folder``, after `verilate`; variables for `make`.

    Copied objects are newer than the makefile, so make leaves them as they are and compiles what is missing.
    The header stands before all others, where alone g++ takes a precompiled one.
    """
    for file in runtime.glob("*.o"):
        shutil.copyfile(file, folder / OBJECTS / file.name)
    header = runtime / HEADER
    return {
        "OPT_FAST": f"{FAST} -Winvalid-pch -include {header}.fast",
        "OPT_SLOW": f"{SLOW} -Winvalid-pch -include {header}.slow",
        "VK_PCH_H": str(header),
        "VK_PCH_I_FAST": "",
        "VK_PCH_I_SLOW": "",
    }
