"""What an executable that writes FST traces needs beyond Verilator."""

from collections.abc import Mapping
from importlib import resources

from spikefold.errors import MissingToolError
from spikefold.flow.run import run
from spikefold.flow.tools import Tool
from spikefold.flow.work import work_folder
from spikefold_sim.verilator import root_of

_PROBE = """
#include <lz4.h>
#include <zlib.h>
int main() { return LZ4_compressBound(1) + (int)compressBound(1) == 0; }
"""
_PROBE_SECONDS = 60.0


def fst_support(verilator: Tool) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Files to add to the build and variables for make.

    Nothing where the machine has LZ4 and zlib for compilers; else `fst_codec.cpp` takes their place,
    at the price of larger traces.

    Raises
    ------
    MissingToolError
        The libraries are missing and this Verilator has the older FST writer, which
        uses more of zlib.
    """
    if _installed():
        return {}, {}
    if not (root_of(verilator) / "include" / "fstcpp").is_dir():
        raise MissingToolError(
            "FST traces need the headers of zlib and LZ4, not found: install them, on Debian with "
            "`apt-get install zlib1g-dev liblz4-dev`, or write a .vcd instead"
        )
    codec = resources.files("spikefold_sim").joinpath("fst_codec.cpp").read_text()
    return {"lz4.h": codec, "zlib.h": '#include "lz4.h"\n'}, {"LDLIBS": ""}


def _installed() -> bool:
    arguments = ("-x", "c++", "probe", "-o", "/dev/null", "-llz4", "-lz")
    with work_folder() as folder:
        (folder / "probe").write_text(_PROBE)
        return not run(Tool("g++", ("g++",)), arguments, folder, timeout=_PROBE_SECONDS, check=False).code
