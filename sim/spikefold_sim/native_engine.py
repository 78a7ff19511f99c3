"""Bulk runs: Verilator with native traffic, no Python in the loop, and traces on request."""

import logging
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError, ToolError
from spikefold_sim.build import Design, build_native
from spikefold_sim.cache import BuildCache
from spikefold_sim.cocotb_engine import Progress
from spikefold_sim.images import check_images
from spikefold_sim.observation import DRAIN, WATCHDOG, Observation, make_plan, observe
from spikefold_sim.runlog import Plan, RunLog
from spikefold_sim.stalls import Stalls
from spikefold_sim.toolchain import find_verilator
from spikefold_sim.wrapper import TOP

logger = logging.getLogger(__name__)


class NativeEngine:
    """A design in Verilator, driven by C++; beat for beat and cycle for cycle the run cocotb would do.

    Parameters
    ----------
    design
        The Verilog and its interface.
    cache
        Folder of builds; the user's cache folder if None.
    progress
        Told how far a run is.

    Raises
    ------
    MissingToolError
        Verilator is not installed.
    """

    def __init__(self, design: Design, cache: Path | None = None, progress: Progress | None = None) -> None:
        self._design = design
        self._tools = find_verilator()
        self._cache = BuildCache(cache)
        self._progress = progress

    @property
    def simulator(self) -> str:
        """Name and version of the simulator."""
        return f"verilator {self._tools.version}"

    def build(self, trace: str | None = None) -> Path:
        """Compile, or find what was compiled before; `run` does it by itself.

        Parameters
        ----------
        trace
            None, "fst" or "vcd": what the executable can write.

        Raises
        ------
        ToolError
            The Verilog does not compile.
        """
        return build_native(self._tools, self._design, self._cache, trace)

    def run(
        self,
        beats: NDArray[np.void],
        stalls: Stalls | None = None,
        watchdog: int = WATCHDOG,
        drain: int = DRAIN,
        load: bytes = b"",
        trace: Path | None = None,
    ) -> Observation:
        """Stream beats (array of `ports.BEAT`) through the design.

        Parameters
        ----------
        beats, stalls, watchdog, drain, load
            As for `CocotbEngine.run`.
        trace
            File for a waveform of everything, ending in .fst or .vcd; None for none.

        Raises
        ------
        InputError
            As for `CocotbEngine.run`, or an unknown kind of trace.
        HangError, ProtocolError
            See `observation`.
        ToolError
            The simulator failed.
        """
        ports = self._design.ports
        plan = make_plan(ports, beats, stalls or Stalls(), watchdog, drain, load)
        executable = self.build(_trace_kind(trace)) / TOP
        with tempfile.TemporaryDirectory(prefix="spikefold-") as name:
            job = Path(name)
            plan.words.astype("<u8").tofile(job / "stimulus")
            plan.load.tofile(job / "load")
            wave = _beside(trace) if trace else None
            try:
                seconds = self._execute(
                    [str(executable), *_arguments(job, plan), *([str(wave)] if wave else [])], plan
                )
                if wave and trace:
                    wave.chmod(0o644)
                    os.replace(wave, trace)
            finally:
                if wave:
                    wave.unlink(missing_ok=True)
            log = RunLog.from_words(np.fromfile(job / "log", "<u8").astype(np.uint64, copy=False))
        return observe(ports, plan, log, seconds, self.simulator)

    def _execute(self, command: list[str], plan: Plan) -> float:
        """Run to the end, passing progress on; the seconds the simulation itself took."""
        seconds, rest = 0.0, []
        folder, pipe = self._design.folder, subprocess.PIPE
        with subprocess.Popen(
            command, cwd=folder, text=True, stdout=pipe, stderr=subprocess.STDOUT
        ) as process:
            try:
                for line in process.stdout or ():
                    key, _, value = line.partition(" ")
                    if key == "progress":
                        self._report(int(value), plan.samples)
                    elif key == "seconds":
                        seconds = float(value)
                    else:
                        rest.append(line)
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            tail = "".join(rest[-20:])
            raise ToolError(f"Native simulation must finish, not fail with {process.returncode}:\n{tail}")
        if rest:
            logger.debug("%s", "".join(rest))
        check_images("".join(rest))
        return seconds

    def _report(self, done: int, total: int) -> None:
        if self._progress:
            self._progress(done, total)


def _arguments(job: Path, plan: Plan) -> list[str]:
    source, sink, _ = plan.stalls.thresholds
    numbers = (plan.stalls.seed, source, sink, plan.watchdog, plan.drain, plan.counters)
    return [*(str(job / name) for name in ("stimulus", "load", "log")), *map(str, numbers)]


def _trace_kind(trace: Path | None) -> str | None:
    if trace is None:
        return None
    kind = trace.suffix.removeprefix(".")
    if kind not in ("fst", "vcd"):
        raise InputError(f"Trace file must end in .fst or .vcd, not {trace.name!r}")
    if not trace.absolute().parent.is_dir():
        raise InputError(f"Trace file's folder must exist, not be missing: {str(trace.absolute().parent)!r}")
    return kind


def _beside(path: Path) -> Path:
    """A temporary name in the same folder, so that only whole traces get the final name."""
    path = path.absolute()
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    return Path(name)
