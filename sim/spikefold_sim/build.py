"""Compiling an artefact and its harness into something that runs."""

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata, resources
from pathlib import Path

import cocotb_tools.config

from spikefold.flow.artefact import Artefact
from spikefold.flow.cache import Cache, key_of
from spikefold.flow.run import TIMEOUT, run
from spikefold.flow.tools import Tool
from spikefold.formats.text import read_verilog
from spikefold_sim.fst import fst_support
from spikefold_sim.runtime import find_runtime, use_runtime
from spikefold_sim.verilator import FAST, FLAGS, OBJECTS, SLOW, make, verilate
from spikefold_sim.wrapper import TOP, wire_verilog, wrapper_header, wrapper_verilog

logger = logging.getLogger(__name__)

TOLD = {"told": True}
"""Marks a log record that the command line shows without `-v`, too."""

ICARUS_IMAGE = "sim.vvp"

_WRAPPER = f"{TOP}.v"
_ICARUS_FLAGS = ("-g2012", "-s", TOP, "-o", ICARUS_IMAGE)
TRACES = {"fst": ("--trace-fst",), "vcd": ("--trace-vcd",), "saif": ("--trace-saif",)}
"""Kinds of traces, and Verilator's flag for each."""


def simulator_cache(folder: Path | None) -> Cache:
    """Where compiled simulators are kept; in the user's cache folder if ``folder`` is None."""
    return Cache("simulators", folder)


def build_verilator(tool: Tool, artefact: Artefact, cache: Cache) -> Path:
    """Folder with the executable `sim_top`, which cocotb drives, or which carries its own traffic.

    One build serves both, see `main.cpp`.
    """
    libraries = cocotb_tools.config.libs_dir
    main = Path(cocotb_tools.config.share_dir) / "lib" / "verilator" / "verilator.cpp"
    texts = _texts(artefact, f'#include "{main}"\n#define DRIVEN_BY_COCOTB\n')
    link = f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"
    flags = ("--vpi", "--timescale", "1ns/1ps", "-LDFLAGS", link)
    return _VerilatorBuild(tool, artefact, texts, flags).find(cache)


def build_traced(tool: Tool, artefact: Artefact, cache: Cache, trace: str) -> Path:
    """Folder with an executable that carries its own traffic and writes a trace of one of `TRACES`."""
    extra, variables = fst_support(tool) if trace == "fst" else ({}, {})
    texts = _texts(artefact, "") | dict(extra)
    return _VerilatorBuild(tool, artefact, texts, (), TRACES[trace], extra, variables).find(cache)


def build_wire(tool: Tool, artefact: Artefact, cache: Cache) -> Path:
    """Folder with an executable whose pins `rx` and `tx` end at a pseudo-terminal, see `wire.cpp`."""
    texts = {_WRAPPER: wire_verilog(artefact), "wire.cpp": _source("wire.cpp")}
    return _VerilatorBuild(tool, artefact, texts, ()).find(cache)


def _texts(artefact: Artefact, cocotb_main: str) -> dict[str, str]:
    return {
        _WRAPPER: wrapper_verilog(artefact),
        "harness.h": wrapper_header(artefact.streams),
        "cocotb_main.h": cocotb_main,
        **{name: _source(name) for name in ("main.cpp", "native.cpp")},
    }


def _source(name: str) -> str:
    return resources.files("spikefold_sim").joinpath(name).read_text()


def build_icarus(tool: Tool, artefact: Artefact, cache: Cache) -> Path:
    """Folder with the compiled image `ICARUS_IMAGE`."""

    texts = {_WRAPPER: wrapper_verilog(artefact)}

    def build(folder: Path) -> None:
        _announce(tool, artefact)
        files = _write_sources(artefact, folder, texts)
        run(tool, (*_ICARUS_FLAGS, *files), folder, timeout=TIMEOUT)

    return cache.get(_key(tool, artefact, texts, _ICARUS_FLAGS), build)


@dataclass(frozen=True)
class _VerilatorBuild:
    """What an executable is made of, beside the Verilog.

    Attributes
    ----------
    texts, flags
        Files, the harness among them, and flags of Verilator.
    runtime_flags, runtime_texts
        Those among them on which Verilator's runtime depends, too.
    variables
        Of make.
    """

    tool: Tool
    artefact: Artefact
    texts: Mapping[str, str]
    flags: tuple[str, ...]
    runtime_flags: tuple[str, ...] = ()
    runtime_texts: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def find(self, cache: Cache) -> Path:
        """Folder of the executable, compiled if it was not before."""
        flags = (*FLAGS, FAST, SLOW, *self.flags, *self.runtime_flags, *map(str, self.variables.items()))
        key = _key(self.tool, self.artefact, self.texts, flags)
        return cache.get(key, lambda folder: self._build(folder, cache))

    def _build(self, folder: Path, cache: Cache) -> None:
        _announce(self.tool, self.artefact)
        files = _write_sources(self.artefact, folder, self.texts)
        mains = [str(folder / name) for name in self.texts if name.endswith(".cpp")]
        runtime = find_runtime(self.tool, cache, self.runtime_flags, self.runtime_texts)
        verilate(self.tool, folder, (*mains, *files), (*self.flags, *self.runtime_flags))
        variables = {**use_runtime(runtime, folder), **self.variables}
        logger.debug("%s", make(self.tool, folder, "Vtop.mk", variables))
        os.rename(folder / OBJECTS / TOP, folder / TOP)
        shutil.rmtree(folder / OBJECTS)


def _announce(tool: Tool, artefact: Artefact) -> None:
    """Tell that a build begins: it may take minutes, in which nothing else is heard."""
    with_what = f"{tool.name} {tool.version}"
    logger.info("Building %s with %s; it is kept for later runs", artefact.top, with_what, extra=TOLD)


def _key(tool: Tool, artefact: Artefact, texts: Mapping[str, str], flags: Sequence[str]) -> str:
    sources = {f"source {k}": read_verilog(path) for k, path in enumerate(artefact.rtl)}
    return key_of(
        {
            **sources,
            **texts,
            "tool": f"{tool.name} {tool.version} {tool.command[0]}",
            "cocotb": metadata.version("cocotb"),
            "flags": "\n".join(flags),
        }
    )


def _write_sources(artefact: Artefact, folder: Path, texts: Mapping[str, str]) -> list[str]:
    """Copy everything into the build folder; the names of the Verilog files, the harness first."""
    names = [_WRAPPER]
    for number, path in enumerate(artefact.rtl):
        names.append(f"design_{number}.v")
        (folder / names[-1]).write_text(read_verilog(path), "utf-8")
    for name, text in texts.items():
        (folder / name).write_text(text)
    return names
