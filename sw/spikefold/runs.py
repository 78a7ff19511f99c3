"""Runs of a design in any simulator."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold.flow.artefact import Artefact
from spikefold_hw.interface import Interface
from spikefold_sim.amaranth_engine import AmaranthEngine
from spikefold_sim.cocotb_engine import CocotbEngine
from spikefold_sim.dut import ports_of
from spikefold_sim.native_engine import NativeEngine, trace_kind
from spikefold_sim.observation import TAIL, WATCHDOG, Observation
from spikefold_sim.stalls import Stalls

SIMULATORS = ("verilator", "icarus", "amaranth", "native")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Gateware:
    """A component for Amaranth's simulator, and its probed streams by name."""

    top: Any
    probes: Mapping[str, Any]


class Ran(NamedTuple):
    """What a run saw, the seconds it took without the build, and those until the simulator was there."""

    seen: Observation
    seconds: float
    build_seconds: float


@dataclass(frozen=True)
class Runs:
    """How to run a design.

    Attributes
    ----------
    interface
        The design from outside.
    load
        What a host loads; empty where it loads nothing.
    artefact
        A context that gives the design as files.
    gateware
        Gives the design as gateware.
    """

    interface: Interface
    load: bytes
    artefact: Callable[[], AbstractContextManager[Artefact]]
    gateware: Callable[[], Gateware]

    def run(
        self, simulator: str, beats: NDArray[np.void], stalls: Stalls, progress: Progress | None = None
    ) -> Ran:
        """Send beats through the design.

        Parameters
        ----------
        simulator
            One of `SIMULATORS`.

        Raises
        ------
        InputError
            If there is no such simulator.
        ToolError
            If the simulator fails or the design hangs.
        """
        if simulator not in SIMULATORS:
            raise InputError(f"Simulator must be one of {', '.join(SIMULATORS)}, not {simulator!r}")
        if simulator == "amaranth":
            return self._amaranth(beats, stalls, progress)
        if simulator == "native":
            return self.native(beats, stalls, progress)
        began = time.perf_counter()
        with self.artefact() as artefact:
            engine = CocotbEngine(artefact, simulator, progress=progress)
            engine.build()
            built = time.perf_counter()
            return _ran(engine.run(beats, stalls, **self._limits(stalls)), began, built)

    def native(
        self,
        beats: NDArray[np.void],
        stalls: Stalls,
        progress: Progress | None = None,
        trace: Path | None = None,
    ) -> Ran:
        """Send beats through the design in Verilator without Python; `trace` is a waveform to write."""
        began = time.perf_counter()
        with self.artefact() as artefact:
            engine = NativeEngine(artefact, progress=progress)
            engine.build(trace_kind(trace))
            built = time.perf_counter()
            return _ran(engine.run(beats, stalls, **self._limits(stalls), trace=trace), began, built)

    def _amaranth(self, beats: NDArray[np.void], stalls: Stalls, progress: Progress | None) -> Ran:
        began = time.perf_counter()
        gateware, built = self.gateware(), time.perf_counter()
        engine = AmaranthEngine(gateware.top, gateware.probes, ports_of(self.interface), progress)
        return _ran(engine.run(beats, stalls, **self._limits(stalls)), began, built)

    def _limits(self, stalls: Stalls) -> dict[str, Any]:
        """Arguments of every engine: silence after which a run hangs or has ended, and what to load."""
        flow = 1 - max(stalls.input, stalls.output)
        return {
            "watchdog": WATCHDOG + int(2 * self.interface.longest_silence / flow),
            "tail": TAIL + self.interface.trailing_silence,
            "load": self.load,
        }


def _ran(seen: Observation, began: float, built: float) -> Ran:
    return Ran(seen, time.perf_counter() - built, built - began)
