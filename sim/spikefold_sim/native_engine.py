"""Bulk runs: Verilator with native traffic, no Python in the loop, and traces on request."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold.flow.artefact import Artefact
from spikefold.flow.run import run
from spikefold.flow.tools import Tool, find_tool
from spikefold.flow.work import work_folder
from spikefold_sim.build import TRACES, build_traced, build_verilator, simulator_cache
from spikefold_sim.cocotb_engine import Progress
from spikefold_sim.observation import TAIL, WATCHDOG, Observation, make_plan, observe
from spikefold_sim.runlog import Plan, RunLog
from spikefold_sim.simulator_output import check_output
from spikefold_sim.stalls import Stalls
from spikefold_sim.wrapper import TOP

logger = logging.getLogger(__name__)


class NativeEngine:
    """A design in Verilator, driven by C++; beat for beat and cycle for cycle the run cocotb would do.

    Parameters
    ----------
    artefact
        The Verilog and its ports.
    cache
        Folder of builds; the user's cache folder if None.
    progress
        Told how far a run is.

    Raises
    ------
    MissingToolError
        Verilator is not installed.
    """

    def __init__(
        self, artefact: Artefact, cache: Path | None = None, progress: Progress | None = None
    ) -> None:
        self._artefact = artefact
        self._tool = find_tool("verilator")
        self._cache = simulator_cache(cache)
        self._progress = progress

    @property
    def simulator(self) -> str:
        """Name and version of the simulator."""
        return f"{self._tool.name} {self._tool.version}"

    def build(self, trace: str | None = None) -> Path:
        """Compile, or find what was compiled before; `run` does it by itself.

        Parameters
        ----------
        trace
            None or one of `TRACES`: what the executable can write.

        Raises
        ------
        ToolError
            The Verilog does not compile.
        """
        if trace is None:
            return build_verilator(self._tool, self._artefact, self._cache)
        return build_traced(self._tool, self._artefact, self._cache, trace)

    def run(
        self,
        beats: NDArray[np.void],
        stalls: Stalls | None = None,
        watchdog: int = WATCHDOG,
        tail: int = TAIL,
        load: bytes = b"",
        trace: Path | None = None,
    ) -> Observation:
        """Stream beats (array of `ports.BEAT`) through the design.

        Parameters
        ----------
        beats, stalls, watchdog, tail, load
            As for `CocotbEngine.run`.
        trace
            File for a waveform of everything, ending in .fst or .vcd, or for how often every net changes
            from the end of reset and load to the end of the run, ending in .saif; None for none.

        Raises
        ------
        InputError
            As for `CocotbEngine.run`, or an unknown kind of trace.
        HangError, ProtocolError
            See `observation`.
        ToolError
            The simulator failed.
        """
        ports = self._artefact.streams
        plan = make_plan(ports, beats, stalls or Stalls(), watchdog, tail, load)
        executable = self.build(trace_kind(trace)) / TOP
        with work_folder() as job, _whole(trace) as wave:
            plan.words.astype("<u8").tofile(job / "stimulus")
            plan.load.tofile(job / "load")
            self._artefact.link_images(job)
            arguments = [*_arguments(job, plan), *([str(wave)] if wave else [])]
            seconds = self._execute(executable, arguments, job, plan.samples)
            log = RunLog.from_words(np.fromfile(job / "log", "<u8").astype(np.uint64, copy=False))
        return observe(ports, plan, log, seconds, self.simulator)

    def _execute(self, executable: Path, arguments: list[str], job: Path, samples: int) -> float:
        """Run to the end, passing progress on; the seconds the simulation itself took."""
        seconds = 0.0

        def take(line: str) -> bool:
            nonlocal seconds
            key, _, value = line.partition(" ")
            if key == "progress" and self._progress:
                self._progress(int(value), samples)
            elif key == "seconds":
                seconds = float(value)
            return key in ("progress", "seconds")

        output = run(Tool(TOP, (str(executable),)), arguments, job, on_line=take).output
        if output:
            logger.debug("%s", output)
        check_output(output)
        return seconds


def _arguments(job: Path, plan: Plan) -> list[str]:
    source, sink, _ = plan.stalls.thresholds
    numbers = (plan.stalls.seed, source, sink, plan.watchdog, plan.tail, plan.counters)
    return ["native", *(str(job / name) for name in ("stimulus", "load", "log")), *map(str, numbers)]


def trace_kind(trace: Path | None) -> str | None:
    """The kind of a trace by its file name; None for none. Raises InputError on any other."""
    if trace is None:
        return None
    kind = trace.suffix.removeprefix(".")
    if kind not in TRACES:
        raise InputError(f"Trace file must end in .fst, .vcd or .saif, not {trace.name!r}")
    if not trace.absolute().parent.is_dir():
        raise InputError(f"Trace file's folder must exist, not be missing: {str(trace.absolute().parent)!r}")
    return kind


@contextmanager
def _whole(trace: Path | None) -> Iterator[Path | None]:
    """Another name for a trace, on the same disk, so that only whole traces get their own."""
    if trace is None:
        yield None
        return
    trace = trace.absolute()
    with work_folder(trace.parent, f".{trace.name}.") as work:
        yield work / trace.name
        os.replace(work / trace.name, trace)
