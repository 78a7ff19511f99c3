"""nextpnr: one run per seed, and what its report and log say."""

import json
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikefold_boards.devices import Device
from spikefold_boards.tools import Tool, run_tool_unchecked, tool_error

_PROCESSES = 2
_OPTIONS = {
    "ecp5": ("--lpf-allow-unconstrained",),
    "ice40": ("--pcf-allow-unconstrained",),
}
# Only what the log calls a failure: targets of 100, 150 and 250 MHz gave the same placement.
_TARGET_MHZ = 150

Utilization = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Placement:
    """One run of nextpnr. ``reason`` is None where the design fits, and then ``fmax_mhz`` may be given."""

    utilization: Utilization
    reason: str | None
    fmax_mhz: float | None
    critical_path: tuple[str, ...]
    seed: int | None


def place_and_route(tool: Tool, device: Device, seeds: range, directory: Path) -> Placement:
    """Place and route ``netlist.json`` in ``directory`` with each of ``seeds``; the fastest result.

    Up to two runs work at once. Of equal results the lowest seed wins, so that the answer does not depend
    on which run ended first. A design fits if it could be placed with any seed.

    Raises
    ------
    ToolError
        nextpnr failed for another reason than a device that is too small.
    """
    with ThreadPoolExecutor(_PROCESSES) as pool:
        placements = list(pool.map(lambda seed: _run(tool, device, seed, directory), seeds))
    fitting = [placement for placement in placements if placement.reason is None]
    return max(fitting, key=lambda placement: placement.fmax_mhz or 0, default=placements[0])


def _run(tool: Tool, device: Device, seed: int, directory: Path) -> Placement:
    report = f"report{seed}.json"
    arguments = (
        *device.arguments,
        *_OPTIONS[device.family],
        *("--json", "netlist.json", "--report", report, "--seed", str(seed)),
        *("--freq", str(_TARGET_MHZ), "--timing-allow-fail"),
    )
    code, log = run_tool_unchecked(tool, arguments, directory)
    if code == 0:
        return parse_report(json.loads((directory / report).read_text("utf-8")), seed)
    utilization = parse_utilization(log)
    reason = shortage(utilization, log)
    if reason is None:
        raise tool_error(tool, code, log)
    return Placement(utilization, reason, None, (), seed)


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


def compare_capacity(figures: Mapping[str, int], device: Device) -> Placement:
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
