"""Compiling an artefact and its harness into something that runs."""

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from importlib import metadata, resources
from pathlib import Path

import cocotb_tools.config

from spikefold.flow.artefact import Artefact
from spikefold.flow.cache import Cache, key_of
from spikefold.flow.run import TIMEOUT, run
from spikefold.flow.tools import Tool
from spikefold.formats.text import read_verilog
from spikefold_sim.fst import fst_support
from spikefold_sim.verilator import FLAGS, jobs, makefile_flags, root_of
from spikefold_sim.wrapper import TOP, wrapper_header, wrapper_verilog

logger = logging.getLogger(__name__)

ICARUS_IMAGE = "sim.vvp"

_ICARUS_FLAGS = ("-g2012", "-s", TOP, "-o", ICARUS_IMAGE)
_TRACES = {None: (), "fst": ("--trace-fst",), "vcd": ("--trace-vcd",)}


def simulator_cache(folder: Path | None) -> Cache:
    """Where compiled simulators are kept; in the user's cache folder if ``folder`` is None."""
    return Cache("simulators", folder)


def build_native(tool: Tool, artefact: Artefact, cache: Cache, trace: str | None = None) -> Path:
    """Folder with the executable `sim_top` that carries its own traffic (`native.cpp`)."""
    main = resources.files("spikefold_sim").joinpath("native.cpp").read_text()
    extra, flags = fst_support(tool) if trace == "fst" else ({}, ())
    texts = {"harness.h": wrapper_header(artefact.streams), "native.cpp": main, **extra}
    return _build_verilator(tool, artefact, cache, texts, ("-CFLAGS", "-I..", *_TRACES[trace], *flags))


def build_cocotb(tool: Tool, artefact: Artefact, cache: Cache) -> Path:
    """Folder with the executable `sim_top` that cocotb drives."""
    libraries = cocotb_tools.config.libs_dir
    main = Path(cocotb_tools.config.share_dir) / "lib" / "verilator" / "verilator.cpp"
    link = f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"
    flags = ("--vpi", "--timescale", "1ns/1ps", "-LDFLAGS", link, str(main))
    return _build_verilator(tool, artefact, cache, {}, flags)


def build_icarus(tool: Tool, artefact: Artefact, cache: Cache) -> Path:
    """Folder with the compiled image `ICARUS_IMAGE`."""

    def build(folder: Path) -> None:
        files = _write_sources(artefact, folder, {})
        run(tool, (*_ICARUS_FLAGS, *files), folder, timeout=TIMEOUT)

    return cache.get(_key(tool, artefact, {}, _ICARUS_FLAGS), build)


def _build_verilator(
    tool: Tool, artefact: Artefact, cache: Cache, texts: Mapping[str, str], flags: Sequence[str]
) -> Path:
    flags = (*FLAGS, *makefile_flags(root_of(tool)), *flags)

    def build(folder: Path) -> None:
        logger.info("Compiling %s with Verilator %s", artefact.top, tool.version)
        files = _write_sources(artefact, folder, texts)
        mains = [str(folder / name) for name in texts if name.endswith(".cpp")]
        arguments = (*flags, "-j", jobs(), "-Mdir", "obj", *mains, *files)
        run(tool, arguments, folder, timeout=TIMEOUT)
        os.rename(folder / "obj" / TOP, folder / TOP)
        shutil.rmtree(folder / "obj")

    return cache.get(_key(tool, artefact, texts, flags), build)


def _key(tool: Tool, artefact: Artefact, texts: Mapping[str, str], flags: Sequence[str]) -> str:
    sources = {f"source {k}": read_verilog(path) for k, path in enumerate(artefact.rtl)}
    return key_of(
        {
            **sources,
            **texts,
            "wrapper": wrapper_verilog(artefact),
            "tool": f"{tool.name} {tool.version} {tool.command[0]}",
            "cocotb": metadata.version("cocotb"),
            "flags": "\n".join(flags),
        }
    )


def _write_sources(artefact: Artefact, folder: Path, texts: Mapping[str, str]) -> list[str]:
    """Copy everything into the build folder; the names of the Verilog files, the harness first."""
    names = [f"{TOP}.v"]
    (folder / names[0]).write_text(wrapper_verilog(artefact))
    for number, path in enumerate(artefact.rtl):
        names.append(f"design_{number}.v")
        (folder / names[-1]).write_text(read_verilog(path), "utf-8")
    for name, text in texts.items():
        (folder / name).write_text(text)
    return names
