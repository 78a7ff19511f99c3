"""nextpnr: one run per seed, another router where the first does not end, and what its report and log say."""

import json
import logging
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spikefold.flow.run import Leash, ToolTimeoutError, failure, run
from spikefold.flow.tools import Tool
from spikefold_boards.fpgas import Fpga
from spikefold_boards.passes import MAPPED

_logger = logging.getLogger(__name__)
_PROCESSES = 2
ROUTER_SECONDS = 300.0
"""How long a router may take at most where there is another one to try."""
SITES = "sites.cst"
"""Where each port is of a design that is placed without a board, if place and route wants to be told."""

_OPTIONS = {
    "ecp5": ("--lpf-allow-unconstrained",),
    "ice40": ("--pcf-allow-unconstrained",),
    "gowin": ("--vopt", f"cst={SITES}"),
}
# Only what the log calls a failure: targets of 100, 150 and 250 MHz gave the same placement.
_TARGET_MHZ = 150

Utilization = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Placement:
    """One run of nextpnr. ``reason`` is None where the design fits, and then ``fmax_mhz`` may be given.

    ``router`` is the one that was chosen of several; None where nextpnr chose.
    """

    utilization: Utilization
    reason: str | None
    fmax_mhz: float | None
    critical_path: tuple[str, ...]
    seed: int | None
    router: str | None = None


def place_and_route(
    tool: Tool,
    device: Fpga,
    seeds: range,
    directory: Path,
    mhz: float | None = None,
    timeout: float | None = None,
    on_board: Callable[[int], tuple[str, ...]] | None = None,
) -> Placement:
    """Place and route `MAPPED` in ``directory`` with each of ``seeds``; the fastest result.

    Up to two runs work at once. Of equal results the lowest seed wins, so that the answer does not depend
    on which run ended first. A design fits if it could be placed with any seed. A run takes at most
    ``timeout`` seconds, and at most `ROUTER_SECONDS` where the device has another router to try. Pins go
    anywhere, unless ``on_board`` gives, for a seed, the arguments that say where, and what to write.

    Raises
    ------
    ToolTimeoutError
        No router ended in time with one of the seeds.
    ToolError
        nextpnr failed for another reason than a device that is too small.
    """
    target = _TARGET_MHZ if mhz is None else mhz
    with ThreadPoolExecutor(_PROCESSES) as pool, Leash() as leash:
        one = _Nextpnr(tool, device, directory, target, timeout, leash, on_board)
        placements = list(pool.map(one.place, seeds))
    fitting = [placement for placement in placements if placement.reason is None]
    return max(fitting, key=lambda placement: placement.fmax_mhz or 0, default=placements[0])


@dataclass(frozen=True)
class _Nextpnr:
    """nextpnr on one netlist."""

    tool: Tool
    device: Fpga
    directory: Path
    mhz: float
    timeout: float | None
    leash: Leash
    on_board: Callable[[int], tuple[str, ...]] | None

    def place(self, seed: int) -> Placement:
        """The result of the first router that ends in time."""
        tried: list[str] = []
        *others, last = self.device.routers or (None,)
        for router in others:
            limit = min(ROUTER_SECONDS, self.timeout or ROUTER_SECONDS)
            try:
                return self._run(seed, router, limit)
            except ToolTimeoutError:
                tried.append(f"{router} for {limit:g} s")
                _logger.warning("%s did not end on %s, trying %s", tried[-1], self.device.name, last)
        try:
            return self._run(seed, last, self.timeout)
        except ToolTimeoutError as error:
            if not tried:
                raise
            raise ToolTimeoutError(f"{error}\nBefore that, {', '.join(tried)} did not end either") from error

    def _run(self, seed: int, router: str | None, limit: float | None) -> Placement:
        report = f"report{seed}.json"
        arguments = (
            *self.device.arguments,
            *(_OPTIONS[self.device.family] if self.on_board is None else self.on_board(seed)),
            *("--json", MAPPED, "--report", report, "--seed", str(seed)),
            *("--freq", f"{self.mhz:g}", "--timing-allow-fail"),
            *(() if router is None else ("--router", router)),
        )
        done = run(self.tool, arguments, self.directory, timeout=limit, check=False, leash=self.leash)
        if done.code == 0:
            placement = parse_report(json.loads((self.directory / report).read_text("utf-8")), seed)
            return replace(placement, router=router)
        utilization = parse_utilization(done.output)
        reason = shortage(utilization, done.output)
        if reason is None:
            raise failure(self.tool, done)
        return Placement(utilization, reason, None, (), seed, router)


def parse_report(report: Mapping[str, Any], seed: int) -> Placement:
    """What nextpnr's JSON report says: resources in use, the slowest clock and its critical path."""
    utilization = {
        name: {"used": entry["used"], "available": entry["available"]}
        for name, entry in report["utilization"].items()
        if entry["used"]
    }
    clocks = {name: entry["achieved"] for name, entry in report["fmax"].items()}
    if not clocks:
        return Placement(utilization, None, None, (), seed)
    slowest = min(clocks, key=lambda name: clocks[name])
    path: tuple[str, ...] = ()
    for entry in report["critical_paths"]:
        if entry["from"].endswith(f"edge {slowest}") and entry["to"].endswith(f"edge {slowest}"):
            path = _describe(entry["path"])
    return Placement(utilization, None, round(clocks[slowest], 2), path, seed)


def _describe(path: list[dict[str, Any]]) -> tuple[str, ...]:
    start = path[0]["from"]
    total = sum(hop["delay"] for hop in path)
    hops = [f"{hop['type']} {hop['delay']:.2f} ns to {hop['to']['cell']}.{hop['to']['port']}" for hop in path]
    return (f"from {start['cell']}.{start['port']}, {total:.2f} ns", *hops)


_UTILIZATION = re.compile(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%", re.MULTILINE)
_SHORTAGE = re.compile(
    r"^ERROR: (.*(?:no BELs remaining|[Uu]nable to find (?:legal )?(?:a )?placement|no Bels? available).*)$",
    re.MULTILINE,
)


def parse_utilization(log: str) -> Utilization:
    """The device utilisation table of nextpnr's log, which is also there when placing then fails."""
    return {
        name: {"used": int(used), "available": int(available)}
        for name, used, available in _UTILIZATION.findall(log)
        if int(used)
    }


def shortage(utilization: Utilization, log: str) -> str | None:
    """Why the device is too small: each exceeded resource, else nextpnr's own words; None if it is not."""
    message = _SHORTAGE.search(log)
    return _exceeded(utilization) or (None if message is None else message.group(1))


def compare_capacity(figures: Mapping[str, int], device: Fpga) -> Placement:
    """The verdict on a device that nothing here can place: its counted ``figures`` against its capacity."""
    utilization = {name: {"used": figures[name], "available": n} for name, n in device.capacity.items()}
    return Placement(utilization, _exceeded(utilization), None, (), None)


def _exceeded(utilization: Utilization) -> str | None:
    return (
        "; ".join(
            f"{name}: needs {entry['used']}, the device has {entry['available']}"
            for name, entry in utilization.items()
            if entry["used"] > entry["available"]
        )
        or None
    )
