"""Runs through cocotb: the test bench in Python, the design in Verilator or Icarus Verilog."""

import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError, MissingToolError, ToolError
from spikefold.flow.artefact import Artefact
from spikefold.flow.ports import Ports
from spikefold.flow.run import failure, run
from spikefold.flow.tools import Tool, find_tool
from spikefold.flow.work import work_folder
from spikefold_sim.build import build_icarus, build_verilator, simulator_cache
from spikefold_sim.observation import TAIL, WATCHDOG, Observation, UnknownValueError, make_plan, observe
from spikefold_sim.runlog import Plan, RunLog
from spikefold_sim.simulator_output import check_output
from spikefold_sim.stalls import Stalls

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called now and then with samples done and samples in all."""

_POLL_SECONDS = 0.25


class CocotbEngine:
    """A design in Verilator or Icarus Verilog, driven by cocotb.

    Parameters
    ----------
    artefact
        The Verilog and its ports.
    simulator
        "verilator" (default) or "icarus", which is slower and knows X.
    cache
        Folder of builds; the user's cache folder if None.
    progress
        Told how far a run is.

    Raises
    ------
    InputError
        Unknown simulator.
    MissingToolError
        The simulator is not installed.
    """

    def __init__(
        self,
        artefact: Artefact,
        simulator: str = "verilator",
        cache: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        if simulator not in ("verilator", "icarus"):
            raise InputError(f"cocotb simulator must be 'verilator' or 'icarus', not {simulator!r}")
        self._artefact = artefact
        self._tool = find_tool(simulator)
        self._cache = simulator_cache(cache)
        self._progress = progress

    @property
    def simulator(self) -> str:
        """Name and version of the simulator."""
        return f"{self._tool.name} {self._tool.version}"

    def build(self) -> Path:
        """Compile, or find what was compiled before; `run` does it by itself.

        Raises
        ------
        ToolError
            The Verilog does not compile.
        """
        compile_design = build_verilator if self._tool.name == "verilator" else build_icarus
        return compile_design(self._tool, self._artefact, self._cache)

    def run(
        self,
        beats: NDArray[np.void],
        stalls: Stalls | None = None,
        watchdog: int = WATCHDOG,
        tail: int = TAIL,
        load: bytes = b"",
    ) -> Observation:
        """Stream beats (array of `ports.BEAT`) through the design.

        Parameters
        ----------
        beats
            Whole samples, back to back.
        stalls
            Random stalls; none if None.
        watchdog
            Cycles without any handshake after which the run is given up.
        tail
            Cycles to go on after the last result.
        load
            Bytes for the load stream, where the design has one. Its handshakes are not recorded.

        Raises
        ------
        InputError
            The beats do not fit the input stream, or there are bytes but no load stream, or none but one.
        HangError, ProtocolError, UnknownValueError
            See `observation`.
        ToolError
            The simulator failed.
        """
        ports = self._artefact.streams
        plan = make_plan(ports, beats, stalls or Stalls(), watchdog, tail, load)
        build = self.build()
        with work_folder() as job:
            _write_job(job, ports, plan)
            self._artefact.link_images(job)
            with _Poller(job / "progress", plan.samples, self._progress):
                output = self._simulate(build, job)
            log, seconds = _read_job(job, output)
        return observe(ports, plan, log, seconds, self.simulator)

    def _simulate(self, build: Path, job: Path) -> str:
        """Have cocotb run the simulator, in a process of its own; what it printed."""
        path = os.pathsep.join(map(os.path.abspath, sys.path))
        command = (sys.executable, "-m", "spikefold_sim.cocotb_run")
        runner = Tool(self._tool.name, command, variables={"PYTHONPATH": path})
        finished = run(runner, (self._tool.name, str(build), str(job)), job, check=False)
        if "Unable to find libpython" in finished.output:
            raise MissingToolError(
                "cocotb needs Python's shared library, not found: install it, on Debian with "
                "`apt-get install libpython3-dev`"
            )
        if finished.code:
            raise failure(runner, finished)
        logger.debug("%s", finished.output)
        check_output(finished.output)
        return finished.output


class _Poller(threading.Thread):
    """Passes on what the simulator's process writes about its progress."""

    def __init__(self, file: Path, total: int, progress: Progress | None) -> None:
        super().__init__(daemon=True)
        self._file, self._total, self._progress = file, total, progress
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while self._progress and not self._stop_asked.wait(_POLL_SECONDS):
            text = self._file.read_text() if self._file.is_file() else ""
            if text:
                self._progress(int(text), self._total)

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._stop_asked.set()
        self.join()


def _write_job(job: Path, ports: Ports, plan: Plan) -> None:
    plan.save(job / "plan.npz")
    settings = {
        "stimulus_bits": ports.stimulus.bits,
        "result_bits": ports.result.bits,
        "streams": ports.streams,
    }
    (job / "job.json").write_text(json.dumps(settings))


def _read_job(job: Path, output: str) -> tuple[RunLog, float]:
    unknown = job / "unknown.json"
    if unknown.is_file():
        found = json.loads(unknown.read_text())
        raise UnknownValueError(
            f"Signal must be 0 or 1 after reset, but {found['what']} is {found['value']!r} "
            f"at clock {found['cycle']}: look for a register without reset or a memory that was not loaded"
        )
    if not (job / "log.npy").is_file():
        tail = "\n".join(output.strip().splitlines()[-20:])
        raise ToolError(f"cocotb must leave a log, but did not:\n{tail}")
    log = RunLog.from_words(np.load(job / "log.npy", allow_pickle=False))
    return log, float((job / "seconds").read_text())
