"""Runs through cocotb: the test bench in Python, the design in Verilator or Icarus Verilog."""

import json
import logging
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from cocotb_tools.runner import get_runner
from numpy.typing import NDArray

from spikefold.errors import InputError, MissingToolError, ToolError
from spikefold_sim.build import Design, build_cocotb, build_icarus
from spikefold_sim.cache import BuildCache
from spikefold_sim.images import check_images
from spikefold_sim.observation import DRAIN, WATCHDOG, Observation, UnknownValueError, make_plan, observe
from spikefold_sim.ports import Ports
from spikefold_sim.runlog import Plan, RunLog
from spikefold_sim.stalls import Stalls
from spikefold_sim.toolchain import Toolchain, find_icarus, find_verilator
from spikefold_sim.wrapper import TOP

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called now and then with samples done and samples in all."""

_POLL_SECONDS = 0.25


class CocotbEngine:
    """A design in Verilator or Icarus Verilog, driven by cocotb.

    Parameters
    ----------
    design
        The Verilog and its interface.
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
        design: Design,
        simulator: str = "verilator",
        cache: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        if simulator not in ("verilator", "icarus"):
            raise InputError(f"cocotb simulator must be 'verilator' or 'icarus', not {simulator!r}")
        self._design = design
        self._tools: Toolchain = find_verilator() if simulator == "verilator" else find_icarus()
        self._cache = BuildCache(cache)
        self._progress = progress

    @property
    def simulator(self) -> str:
        """Name and version of the simulator."""
        return f"{self._tools.name} {self._tools.version}"

    def build(self) -> Path:
        """Compile, or find what was compiled before; `run` does it by itself.

        Raises
        ------
        ToolError
            The Verilog does not compile.
        """
        compile_design = build_cocotb if self._tools.name == "verilator" else build_icarus
        return compile_design(self._tools, self._design, self._cache)

    def run(
        self,
        beats: NDArray[np.void],
        stalls: Stalls | None = None,
        watchdog: int = WATCHDOG,
        drain: int = DRAIN,
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
        drain
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
        ports = self._design.ports
        plan = make_plan(ports, beats, stalls or Stalls(), watchdog, drain, load)
        build = self.build()
        with tempfile.TemporaryDirectory(prefix="spikefold-") as name:
            job = Path(name)
            _write_job(job, ports, plan)
            with _Poller(job / "progress", plan.samples, self._progress):
                self._simulate(build, job)
            log, seconds = _read_job(job)
        return observe(ports, plan, log, seconds, self.simulator)

    def _simulate(self, build: Path, job: Path) -> None:
        output = job / "simulator.log"
        try:
            get_runner(self._tools.name).test(
                test_module="spikefold_sim.cocotb_body",
                hdl_toplevel=TOP,
                hdl_toplevel_lang="verilog",
                build_dir=build,
                test_dir=self._design.folder,
                results_xml=str(job / "results.xml"),
                plusargs=[f"+spikefold_job={job}"],
                log_file=output,
            )
        except ValueError as error:
            if "libpython" not in str(error):
                raise
            raise MissingToolError(
                "cocotb needs Python's shared library, not found: install it, on Debian with "
                "`apt-get install libpython3-dev`"
            ) from error
        except (SystemExit, RuntimeError) as error:
            raise ToolError(f"{self.simulator} must finish, not fail ({error}):\n{_tail(output)}") from error
        text = output.read_text(errors="replace")
        logger.debug("%s", text)
        check_images(text)


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
    settings = {"stimulus_bits": ports.stimulus.bits, "result_bits": ports.result.bits}
    settings["streams"] = ports.streams
    (job / "job.json").write_text(json.dumps(settings))


def _read_job(job: Path) -> tuple[RunLog, float]:
    unknown = job / "unknown.json"
    if unknown.is_file():
        found = json.loads(unknown.read_text())
        raise UnknownValueError(
            f"Signal must be 0 or 1 after reset, but {found['what']} is {found['value']!r} "
            f"at clock {found['cycle']}: look for a register without reset or a memory that was not loaded"
        )
    if not (job / "log.npy").is_file():
        raise ToolError(f"cocotb must leave a log, but did not:\n{_tail(job / 'simulator.log')}")
    log = RunLog.from_words(np.load(job / "log.npy", allow_pickle=False))
    return log, float((job / "seconds").read_text())


def _tail(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines() if path.is_file() else []
    return "\n".join(lines[-20:])
