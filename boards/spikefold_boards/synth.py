"""Synthesis, place and route of a build's Verilog, and the check that it holds no multiplier."""

import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spikefold.errors import InputError
from spikefold_boards.cache import content_key, default_cache, load_result, store_result
from spikefold_boards.cells import resources_from_netlist
from spikefold_boards.design import Design
from spikefold_boards.devices import Device, find_device
from spikefold_boards.harness import port_bits, serial_harness
from spikefold_boards.netlist import DSP_BLOCKS, Netlist, absorb_output_registers, count_of
from spikefold_boards.place_and_route import Placement, compare_capacity, place_and_route
from spikefold_boards.result import SynthResult
from spikefold_boards.tools import Tool, find_tool
from spikefold_boards.yosys import Elaborated, elaborate, map_to_device

_logger = logging.getLogger(__name__)
_FLOW_VERSION = "2"  # part of the cache key: raise it with any change that can change a result

Progress = Callable[[str], None]


def synthesize(
    verilog: Sequence[Path],
    top: str,
    device: str,
    *,
    mem_dir: Path | None = None,
    cache: Path | None = None,
    use_cache: bool = True,
    seed: int = 1,
    seeds: int = 1,
    progress: Progress = _logger.info,
) -> SynthResult:
    """Resources, clock frequency and multipliers of the design ``top`` on ``device``.

    Parameters
    ----------
    verilog
        The design's files.
    top
        Name of the top module. If ``mem_dir`` is given it has the string parameter ``MEM_DIR``.
    device
        ``ecp5-85k``, ``ecp5-25k``, ``ice40-up5k`` (placed and routed) or ``xc7`` (an XC7A35T; resources
        only, as no open place and route exists).
    mem_dir
        Folder of the memory images (``*.mem``).
    cache
        Folder of earlier results; None stands for the user's cache folder. A result is found again by the
        content of all files, the settings and the tools' versions. ``use_cache=False`` neither reads nor
        writes it.
    seed, seeds
        First seed of place and route, and how many to try from there on; the fastest result is reported.
    progress
        Called with a short text as each step starts.

    Raises
    ------
    InputError
        An unknown device, a missing file, a name that is no Verilog identifier, or a seed out of range.
    MissingToolError
        yosys or nextpnr is not installed.
    ToolError
        One of them failed. A device that is too small is not an error: ``fits`` is False then.
    """
    design = Design(tuple(map(Path, verilog)), top, None if mem_dir is None else Path(mem_dir))
    flow = _Flow(design, find_device(device), _check_seeds(seed, seeds), progress)
    folder = cache if cache is not None else default_cache()
    key = flow.key()
    if use_cache and (found := load_result(folder, key)) is not None:
        return found
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="spikefold-synth-") as directory:
        result = flow.run(Path(directory))
    result = replace(result, seconds=round(time.monotonic() - start, 2))
    if use_cache:
        store_result(folder, key, result)
    return result


def count_multipliers(verilog: Sequence[Path], top: str) -> int:
    """How many multiplier-like operators the elaborated design ``top`` holds, counting every instance.

    Multiplications, divisions, remainders and powers by anything but a constant power of two. Memory
    images are not needed, and nothing is mapped, so this is quick. Raises as `synthesize` does.
    """
    design = Design(tuple(map(Path, verilog)), top)
    tool = find_tool("yosys")
    with tempfile.TemporaryDirectory(prefix="spikefold-synth-") as directory:
        design.copy_without_images(Path(directory))
        return elaborate(tool, design, Path(directory)).multipliers


def _check_seeds(seed: int, seeds: int) -> range:
    if seed < 0:
        raise InputError(f"Seed must be a non-negative integer, not {seed!r}")
    if seeds < 1:
        raise InputError(f"Number of seeds must be a positive integer, not {seeds!r}")
    return range(seed, seed + seeds)


@dataclass(frozen=True)
class _Flow:
    """One design, one device, and the steps from the one to figures on the other."""

    design: Design
    device: Device
    seeds: range
    progress: Progress

    @property
    def tools(self) -> list[Tool]:
        names = ("yosys", self.device.place_and_route)
        return [find_tool(name) for name in names if name is not None]

    def key(self) -> str:
        has_images = self.design.mem_dir is not None
        settings = (_FLOW_VERSION, self.design.top, self.device.part, str(self.seeds), str(has_images))
        return content_key((*settings, *(tool.version for tool in self.tools)), self.design.contents())

    def run(self, directory: Path) -> SynthResult:
        self.design.copy_to(directory)
        yosys = self.tools[0]
        self.progress("elaborating")
        elaborated = elaborate(yosys, self.design, directory)
        self.progress(f"mapping to {self.device.name}")
        harness = self._harness(elaborated)
        netlist = map_to_device(yosys, self.design.top, harness, self.device.family, directory)
        placement = self._place(netlist, directory)
        return self._result(elaborated, netlist, placement, harness is not None)

    def _harness(self, elaborated: Elaborated) -> str | None:
        """The Verilog around the design, where it is placed and has more port bits than there are pins."""
        if self.device.place_and_route is None or port_bits(elaborated.ports) <= self.device.pins:
            return None
        return serial_harness(self.design.top, elaborated.ports)

    def _place(self, netlist: Netlist, directory: Path) -> Placement:
        if self.device.place_and_route is None:
            return compare_capacity(resources_from_netlist(netlist.count(), self.device), self.device)
        if self.device.family == "ecp5":
            absorb_output_registers(netlist)
            netlist.write(directory / "netlist.json")
        self.progress(f"placing and routing on {self.device.name}")
        return place_and_route(self.tools[1], self.device, self.seeds, directory)

    def _result(
        self, elaborated: Elaborated, netlist: Netlist, placement: Placement, harness: bool
    ) -> SynthResult:
        counts = netlist.count()
        figures = resources_from_netlist(counts, self.device)
        for figure, name in self.device.resources.items():
            figures[figure] = placement.utilization.get(name, {"used": 0})["used"]
        return SynthResult(
            device=self.device.name,
            part=self.device.part,
            fits=placement.reason is None,
            reason=placement.reason,
            **figures,
            multipliers=elaborated.multipliers + count_of(counts, DSP_BLOCKS),
            fmax_mhz=placement.fmax_mhz,
            critical_path=placement.critical_path,
            utilization=placement.utilization,
            harness=harness,
            seed=placement.seed,
            seconds=0.0,
            cached=False,
            tools={tool.name: tool.version for tool in self.tools},
        )
