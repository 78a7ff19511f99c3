"""Compiling a design and its harness into something that runs."""

import logging
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path

import cocotb_tools.config

from spikefold.errors import InputError, ToolError
from spikefold_sim.cache import BuildCache
from spikefold_sim.fst import fst_support
from spikefold_sim.ports import Ports
from spikefold_sim.toolchain import Toolchain
from spikefold_sim.wrapper import TOP, wrapper_header, wrapper_verilog

logger = logging.getLogger(__name__)

ICARUS_IMAGE = "sim.vvp"
TRACES = {None: (), "fst": ("--trace-fst",), "vcd": ("--trace-vcd",)}

_VERILATOR_FLAGS = (
    *("--cc", "--exe", "--build", "--prefix", "Vtop", "--top-module", TOP, "-o", TOP),
    *("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert", "--no-timing"),
    # files of a size that g++ takes in its stride: half the time for a large design, and work for every core
    *("--output-split", "5000"),
    *("-MAKEFLAGS", "OPT_FAST=-O3", "-MAKEFLAGS", "OPT_SLOW=-O0"),
    # what every Verilog file that Amaranth emits gives cause for
    *("-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC", "-Wno-CASEINCOMPLETE", "-Wno-CASEOVERLAP", "-Wno-COMBDLY"),
    *("-Wno-UNSIGNED", "-Wno-CMPCONST", "-Wno-UNOPTFLAT", "-Wno-fatal"),
)


@dataclass(frozen=True)
class Design:
    """Verilog of a design under test.

    Parameters
    ----------
    sources
        Its files.
    ports
        Its interface.
    folder
        Where it is run, so that relative names of memory images are found.
    """

    sources: tuple[Path, ...]
    ports: Ports
    folder: Path

    def __post_init__(self) -> None:
        if not self.sources:
            raise InputError("Design must have at least one Verilog file, not ()")
        for path in self.sources:
            if not path.is_file():
                raise InputError(f"Verilog file must exist, not be missing: {str(path)!r}")


def build_native(tools: Toolchain, design: Design, cache: BuildCache, trace: str | None = None) -> Path:
    """Folder with the executable `sim_top` that carries its own traffic (`native.cpp`)."""
    main = resources.files("spikefold_sim").joinpath("native.cpp").read_text()
    extra, flags = fst_support(tools) if trace == "fst" else ({}, ())
    texts = {"harness.h": wrapper_header(design.ports), "native.cpp": main, **extra}
    return _build_verilator(tools, design, cache, texts, ("-CFLAGS", "-I..", *TRACES[trace], *flags))


def build_cocotb(tools: Toolchain, design: Design, cache: BuildCache) -> Path:
    """Folder with the executable `sim_top` that cocotb drives."""
    libraries = cocotb_tools.config.libs_dir
    main = Path(cocotb_tools.config.share_dir) / "lib" / "verilator" / "verilator.cpp"
    link = f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"
    flags = ("--vpi", "--timescale", "1ns/1ps", "-LDFLAGS", link, str(main))
    return _build_verilator(tools, design, cache, {}, flags)


def build_icarus(tools: Toolchain, design: Design, cache: BuildCache) -> Path:
    """Folder with the compiled image `ICARUS_IMAGE`."""

    def build(folder: Path) -> None:
        files = _write_sources(design, folder, {})
        command = [str(tools.executable), "-g2012", "-s", TOP, "-o", ICARUS_IMAGE, *files]
        _run(command, folder, tools.environment(), "Icarus Verilog")

    return cache.get(_ingredients(tools, design, {}, ()), build)


def _build_verilator(
    tools: Toolchain, design: Design, cache: BuildCache, texts: Mapping[str, str], flags: Sequence[str]
) -> Path:
    def build(folder: Path) -> None:
        logger.info("Compiling %s with Verilator %s", design.ports.top, tools.version)
        files = _write_sources(design, folder, texts)
        jobs = str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
        command = [str(tools.executable), *_VERILATOR_FLAGS, *tools.build_flags, "-j", jobs, "-Mdir", "obj"]
        mains = [str(folder / name) for name in texts if name.endswith(".cpp")]
        _run([*command, *flags, *mains, *files], folder, tools.environment(), "Verilator")
        os.rename(folder / "obj" / TOP, folder / TOP)
        shutil.rmtree(folder / "obj")

    return cache.get(_ingredients(tools, design, texts, flags), build)


def _ingredients(
    tools: Toolchain, design: Design, texts: Mapping[str, str], flags: Sequence[str]
) -> dict[str, str]:
    sources = {f"source {k}": path.read_text() for k, path in enumerate(design.sources)}
    flags = (*_VERILATOR_FLAGS, *tools.build_flags, *flags)
    return {
        **sources,
        **texts,
        "wrapper": wrapper_verilog(design.ports),
        "tool": f"{tools.name} {tools.version} {tools.executable}",
        "cocotb": metadata.version("cocotb"),
        "flags": "\n".join(flags),
    }


def _write_sources(design: Design, folder: Path, texts: Mapping[str, str]) -> list[str]:
    """Copy everything into the build folder; the names of the Verilog files, the harness first."""
    names = [f"{TOP}.v"]
    (folder / names[0]).write_text(wrapper_verilog(design.ports))
    for number, path in enumerate(design.sources):
        names.append(f"design_{number}.v")
        (folder / names[-1]).write_text(path.read_text())
    for name, text in texts.items():
        (folder / name).write_text(text)
    return names


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str], tool: str) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    (folder / "build.log").write_text(done.stdout)
    if done.returncode:
        tail = "\n".join(done.stdout.strip().splitlines()[-20:])
        raise ToolError(f"{tool} must compile the design, not fail with {done.returncode}:\n{tail}")
