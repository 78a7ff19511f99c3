"""OpenSTA: the slowest path of a netlist, and the slews in it. Wires are the library's guess by fan-out."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from spikefold.flow.artefact import Clock
from spikefold.flow.run import failure, run
from spikefold.flow.tools import Tool
from spikefold_boards.asic.script import LIBERTY, TIMED

MEMORIES = "memories.lib"
"""The liberty file of black boxes, beside the netlist."""


@dataclass(frozen=True)
class Timing:
    """The slowest path at one period.

    Attributes
    ----------
    slack_ns
        Time to spare; None for a design without a path.
    path
        Every hop: cell, what it is, its delay.
    """

    slack_ns: float | None
    path: tuple[str, ...]


@dataclass(frozen=True)
class Sta:
    """OpenSTA on the netlist `TIMED` in ``folder``.

    Attributes
    ----------
    tool, folder
        The program, and where netlist and liberty files are.
    top, clock, period_ns
        The design's top module, its clock and the period to time it for.
    timeout
        Seconds that a run may take.
    """

    tool: Tool
    folder: Path
    top: str
    clock: Clock
    period_ns: float
    timeout: float | None

    def timing(self, names: Mapping[str, str]) -> Timing:
        """From and to ports, flip-flops and memories in one period; cells are called as ``names`` says.

        Raises
        ------
        ToolTimeoutError, ToolError
            OpenSTA did not end in time, or failed.
        """
        report = self._run("timing.tcl", ["report_checks -path_delay max -format full -digits 4"])
        slack = re.search(r"^\s*(-?[\d.]+)\s+slack", report, re.MULTILINE)
        return Timing(None if slack is None else float(slack[1]), _path(report, names))

    def slews(self, pins: Iterable[str]) -> dict[str, float]:
        """The mean slew in ns of rise and fall at each of ``pins``; raises as `timing`."""
        report = self._run("slews.tcl", [_SLEW, *(f"slew {{{pin}}}" for pin in pins)])
        return {pin: (float(rise) + float(fall)) / 2 for pin, rise, fall in _SLEWS.findall(report)}

    def _run(self, name: str, lines: Iterable[str]) -> str:
        """The output; OpenSTA goes on after an error and ends with code 0."""
        clock = self.clock.port
        before = [
            f"read_liberty {LIBERTY}",
            f"read_liberty {MEMORIES}",
            f"read_verilog {TIMED}",
            f"link_design {self.top}",
            f"create_clock -name {clock} -period {self.period_ns:g} [get_ports {clock}]",
            f"foreach port [all_inputs] {{ if {{[get_name $port] != {{{clock}}}}} {{",
            f"  set_input_delay 0 -clock {clock} $port }} }}",
            f"set_output_delay 0 -clock {clock} [all_outputs]",
        ]
        (self.folder / name).write_text("\n".join([*before, *lines]) + "\n", "utf-8")
        done = run(self.tool, ("-no_splash", "-exit", name), self.folder, timeout=self.timeout)
        if re.search(r"^Error", done.output, re.MULTILINE):
            raise failure(self.tool, done)
        return done.output


# get_pins takes a walk over all cells
_SLEW = """\
proc slew {name} {
  set pin [sta::find_pin $name]
  set rise [get_property $pin actual_rise_transition_max]
  set fall [get_property $pin actual_fall_transition_max]
  puts "slew $name $rise $fall"
}"""
_SLEWS = re.compile(r"^slew (\S+) (\S+) (\S+)$", re.MULTILINE)
_HOP = re.compile(r"^\s*(-?[\d.]+)\s+-?[\d.]+ [v^] (\S+) \((\S+)\)$", re.MULTILINE)


def _path(report: str, names: Mapping[str, str]) -> tuple[str, ...]:
    hops = []
    for delay, pin, kind in _HOP.findall(report):
        where = names.get(pin.rpartition("/")[0], pin)
        hops.append(f"{kind} {delay} ns to {where}" if float(delay) else f"from {kind} {where}")
    # the last hop is the endpoint's own pin, which the delay before has reached
    return tuple(hops[:-1]) + tuple(hop.replace("from", "into", 1) for hop in hops[-1:])
