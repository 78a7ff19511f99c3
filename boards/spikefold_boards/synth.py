"""Synthesis, place and route of a build's Verilog, and the check that it holds no multiplier."""

import json
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path

from spikefold.errors import InputError
from spikefold.flow.artefact import Artefact
from spikefold.flow.cache import Cache, key_of
from spikefold.flow.run import TIMEOUT
from spikefold.flow.tools import Tool, find_tool
from spikefold.flow.work import work_folder
from spikefold_boards.cells import resources_from_netlist
from spikefold_boards.fpgas import Fpga, find_fpga
from spikefold_boards.harness import port_bits, serial_harness
from spikefold_boards.netlist import DSP_BLOCKS, Netlist, count_of
from spikefold_boards.place_and_route import SITES, Placement, compare_capacity, place_and_route
from spikefold_boards.result import SynthResult
from spikefold_boards.yosys import Elaborated, copy_files, copy_without_images, elaborate, map_to_device

_logger = logging.getLogger(__name__)
_FLOW_VERSION = "6"  # part of the cache key: raise it with any change that can change a result
_RESULT = "result.json"

Progress = Callable[[str], None]


def synthesize(
    artefact: Artefact,
    device: str,
    *,
    cache: Path | None = None,
    use_cache: bool = True,
    speed: int | None = None,
    seed: int = 1,
    seeds: int = 1,
    timeout: float | None = TIMEOUT,
    progress: Progress = _logger.info,
) -> SynthResult:
    """Resources, clock frequency and multipliers of a design on ``device``.

    Parameters
    ----------
    artefact
        The design. Its ports need not be known; its clock's frequency is what place and route aims at.
    device
        ``ecp5-85k``, ``ecp5-25k``, ``ice40-up5k``, ``ice40-hx8k``, ``gowin-9k``, ``gowin-20k`` (placed and
        routed) or ``xc7`` (an XC7A35T; resources only, as no open place and route exists).
    cache
        Folder of earlier results; None stands for the user's cache folder. A result is found again by the
        content of all files, the settings and the tools' versions. ``use_cache=False`` neither reads nor
        writes it.
    speed
        Speed grade: 6 (default), 7 or 8 on ECP5; other devices have one.
    seed, seeds
        First seed of place and route, and how many to try from there on; the fastest result is reported.
    timeout
        Seconds that a run of a tool may take; None for no limit.
    progress
        Called with a short text as each step starts.

    Raises
    ------
    InputError
        An unknown device or speed grade, or a seed or limit out of range.
    MissingToolError
        yosys or nextpnr is not installed.
    ToolTimeoutError
        One of them did not end in time.
    ToolError
        One of them failed. A device that is too small is not an error: ``fits`` is False then.
    """
    if timeout is not None and not timeout > 0:
        raise InputError(f"Limit of time must be a positive number of seconds, not {timeout!r}")
    flow = _Flow(artefact, find_fpga(device).at_speed(speed), check_seeds(seed, seeds), timeout, progress)
    results, key = Cache("results", cache), flow.key()
    if use_cache and (entry := results.find(key)) is not None:
        return replace(SynthResult.from_json(json.loads((entry / _RESULT).read_text("utf-8"))), cached=True)
    start = time.monotonic()
    with work_folder() as directory:
        result = flow.run(directory)
    result = replace(result, seconds=round(time.monotonic() - start, 2))
    if use_cache:
        text = json.dumps(result.to_json(), indent=1, sort_keys=True)
        results.keep(key, lambda folder: (folder / _RESULT).write_text(text, "utf-8"))
    return result


def count_multipliers(artefact: Artefact) -> int:
    """How many multiplier-like operators the elaborated design holds, counting every instance.

    Multiplications, divisions, remainders and powers by anything but a constant power of two. Memory
    images are not needed, and nothing is mapped, so this is quick. Raises as `synthesize` does.
    """
    tool = find_tool("yosys")
    bare = replace(artefact, mem=None)
    with work_folder() as directory:
        copy_without_images(bare, directory)
        return elaborate(tool, bare, directory, TIMEOUT).multipliers


def check_seeds(seed: int, seeds: int) -> range:
    """The seeds from ``seed`` on, so many; raises InputError if a number is out of range."""
    if seed < 0:
        raise InputError(f"Seed must be a non-negative integer, not {seed!r}")
    if seeds < 1:
        raise InputError(f"Number of seeds must be a positive integer, not {seeds!r}")
    return range(seed, seed + seeds)


@dataclass(frozen=True)
class _Flow:
    """One design, one device, and the steps from the one to figures on the other."""

    artefact: Artefact
    device: Fpga
    seeds: range
    timeout: float | None
    progress: Progress

    @property
    def tools(self) -> list[Tool]:
        names = ("yosys", self.device.place_and_route)
        return [find_tool(name) for name in names if name is not None]

    def key(self) -> str:
        clock = self.artefact.clock
        return key_of(
            {
                **ingredients(self.artefact, self.tools),
                "flow": _FLOW_VERSION,
                "result": " ".join(field.name for field in fields(SynthResult)),
                "clock": f"{clock.port} {clock.reset} {clock.mhz}",
                "part": self.device.part,
                "seeds": str(self.seeds),
            }
        )

    def run(self, directory: Path) -> SynthResult:
        copy_files(self.artefact, directory)
        yosys = self.tools[0]
        self.progress("elaborating")
        elaborated = elaborate(yosys, self.artefact, directory, self.timeout)
        self.progress(f"mapping to {self.device.name}")
        harness = self._harness(elaborated)
        top = self.artefact.top
        netlist = map_to_device(yosys, top, harness, self.device, directory, self.timeout)
        placement = self._place(netlist, directory)
        return self._result(elaborated, netlist, placement, harness is not None)

    def _harness(self, elaborated: Elaborated) -> str | None:
        """The Verilog around the design, where it is placed and has more port bits than there are pins."""
        if self.device.place_and_route is None or port_bits(elaborated.ports) <= self.device.pins:
            return None
        return serial_harness(self.artefact.top, elaborated.ports, self.artefact.clock)

    def _place(self, netlist: Netlist, directory: Path) -> Placement:
        if self.device.place_and_route is None:
            return compare_capacity(resources_from_netlist(netlist.count(), self.device), self.device)
        self.progress(f"placing and routing on {self.device.name}")
        if self.device.sites:
            sites = zip(netlist.ports, self.device.sites, strict=False)
            lines = (f'IO_LOC "{port}" {site};\n' for port, site in sites)
            (directory / SITES).write_text("".join(lines), "utf-8")
        mhz = self.artefact.clock.mhz
        return place_and_route(self.tools[1], self.device, self.seeds, directory, mhz, self.timeout)

    def _result(
        self, elaborated: Elaborated, netlist: Netlist, placement: Placement, harness: bool
    ) -> SynthResult:
        return result_of(self.device, elaborated, netlist, placement, harness, self.tools)


def ingredients(artefact: Artefact, tools: Iterable[Tool]) -> dict[str, str | bytes]:
    """What a result of these tools depends on, as far as the design's files and the tools themselves go."""
    files = {f"rtl {k} {path.name}": path for k, path in enumerate(artefact.rtl)}
    files |= {f"mem {path.name}": path for path in artefact.images}
    return {
        **{name: path.read_bytes() for name, path in files.items()},
        **{f"tool {tool.name}": tool.version for tool in tools},
        "top": artefact.top,
        "images": str(artefact.mem is not None),
    }


def result_of(
    device: Fpga,
    elaborated: Elaborated,
    netlist: Netlist,
    placement: Placement,
    harness: bool,
    tools: Iterable[Tool],
) -> SynthResult:
    """What is known of a design on ``device`` after its last step; the seconds are left to the caller."""
    counts = netlist.count()
    figures = resources_from_netlist(counts, device)
    for figure, name in device.resources.items():
        figures[figure] = placement.utilization.get(name, {"used": 0})["used"]
    return SynthResult(
        device=device.name,
        part=device.part,
        fits=placement.reason is None,
        reason=placement.reason,
        **figures,
        multipliers=elaborated.multipliers + count_of(counts, DSP_BLOCKS),
        fmax_mhz=placement.fmax_mhz,
        critical_path=placement.critical_path,
        utilization=placement.utilization,
        harness=harness,
        seed=placement.seed,
        router=placement.router,
        seconds=0.0,
        cached=False,
        tools={tool.name: tool.version for tool in tools},
    )
