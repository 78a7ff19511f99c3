"""A compiled design: run it, verify it, synthesize it, write it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefold.build import Build, read_build, write_build
from spikefold.errors import InputError
from spikefold.flow.run import TIMEOUT
from spikefold.flow.work import work_folder
from spikefold.golden import Golden, Run
from spikefold.ir import Network
from spikefold.ir.stages import INPUT
from spikefold.report import report_html
from spikefold.results import Simulation, Verification
from spikefold_boards.result import SynthResult
from spikefold_boards.synth import synthesize
from spikefold_hw.architecture import AnyPlan, Architecture
from spikefold_hw.architectures import find_architecture
from spikefold_hw.cycles import Cycles
from spikefold_hw.emit import LINT, Emission, count_multipliers, emit, top_name
from spikefold_hw.interface import Interface
from spikefold_hw.parts.images import Image
from spikefold_sim.amaranth_engine import AmaranthEngine
from spikefold_sim.beats import encode_beats
from spikefold_sim.cocotb_engine import CocotbEngine
from spikefold_sim.dut import ports_of, shapes_of
from spikefold_sim.native_engine import NativeEngine
from spikefold_sim.observation import TAIL, WATCHDOG, Observation
from spikefold_sim.scoreboard import compare
from spikefold_sim.stalls import Stalls

Samples = NDArray[np.generic]
Progress = Callable[[int, int], None]

SIMULATORS = ("verilator", "icarus", "amaranth", "native")


@dataclass
class Design:
    """An integer network on its hardware; `spikefold.compile` and `spikefold.load` make one.

    Attributes
    ----------
    network, plan
        The integer network, and the plan of its hardware.
    info
        What `compile` found out: accuracies, rounding, cycles on calibration data.
    path
        The build directory it was loaded from or written to, if any.
    """

    network: Network
    plan: AnyPlan
    info: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @property
    def name(self) -> str:
        """Name of the design."""
        return self.network.name

    @cached_property
    def architecture(self) -> Architecture[Any, Any]:
        """The architecture of the plan."""
        return find_architecture(self.plan.architecture)

    @cached_property
    def images(self) -> dict[str, Image]:
        """Contents of every memory by name, in the order in which a host loads them."""
        return self.architecture.images(self.plan, self.network)

    @property
    def summary(self) -> dict[str, Any]:
        """Widths, memory, lanes and coding, with what `compile` found out; plain JSON values."""
        return {
            "name": self.name,
            "architecture": self.plan.architecture,
            "top": top_name(self.name),
            "accuracy_float": self.info.get("accuracy_float"),
            "accuracy_integer": self.info.get("accuracy_integer"),
            "memory_bits": self.architecture.cost(self.plan).memory_bits,
            **self.architecture.summary(self.plan),
            "calibration": self.info.get("calibration"),
            "quantization": self.info.get("quantization"),
        }

    @cached_property
    def _interface(self) -> Interface:
        return self.architecture.interface(self.plan)

    @cached_property
    def _golden(self) -> Golden:
        return Golden(self.network)

    def encode(self, x: Samples) -> NDArray[np.int64]:
        """Levels of samples: floating-point features are encoded, integers are levels already."""
        return self.network.input.encode(x, self.network.steps)

    def golden(self, x: Samples, *, record: bool = False) -> Run:
        """Run the golden model; `record` keeps every layer's levels and membranes."""
        return self._golden.run(self.encode(x), record=record)

    def cycles(self, x: Samples) -> Cycles:
        """Predict the timing of these samples at full load."""
        levels = self.encode(x)
        return self._predict(levels, self._golden.run(levels, record=True))

    def simulate(
        self,
        x: Samples,
        *,
        stall: float = 0.0,
        seed: int = 0,
        trace: Path | None = None,
        progress: Progress | None = None,
    ) -> Simulation:
        """Run the Verilog cycle by cycle in Verilator, natively: no Python in the loop.

        Parameters
        ----------
        x
            Samples, as `encode`.
        stall, seed
            Probability per cycle that the source, and that the sink, waits; and which pattern.
        trace
            Waveform to write, `.fst` or `.vcd`.
        progress
            Called with samples done and samples in all.

        Raises
        ------
        InputError
            If samples or options do not fit.
        ToolError
            If the simulator fails or the design hangs.
        """
        beats, stalls = self._beats(_some(self.encode(x))), Stalls(stall, stall, seed)
        seen = self._run_native(beats, stalls, progress, trace)[0]
        first = seen.start_cycles[0]
        return Simulation(
            logits=seen.logits,
            classes=seen.winners,
            cycles=int(seen.result_cycles[-1] - first) + 1,
            starts=seen.start_cycles - first,
            results=seen.result_cycles - first,
            seconds=seen.seconds,
            counters=dict(seen.counters),
        )

    def verify(
        self,
        x: Samples,
        *,
        stall: float = 0.0,
        seed: int = 0,
        simulator: str = "verilator",
        progress: Progress | None = None,
    ) -> Verification:
        """Run the Verilog and hold every layer's levels and every logit against the golden model.

        Without stalls every result must also come in the cycle the model predicts.

        Parameters
        ----------
        simulator
            "verilator" or "icarus" (through cocotb), "native" (Verilator without Python in the loop, for
            large networks), or "amaranth" (the gateware itself; slow).

        Raises
        ------
        InputError
            If samples or options do not fit.
        ToolError
            If the simulator fails or the design hangs.
        """
        if simulator not in SIMULATORS:
            raise InputError(f"Simulator must be one of {', '.join(SIMULATORS)}, not {simulator!r}")
        levels = _some(self.encode(x))
        golden = self._golden.run(levels, record=True)
        predicted = None if stall else self._predict(levels, golden)
        beats, stalls = self._beats(levels), Stalls(stall, stall, seed)
        if simulator == "amaranth":
            seen, began = self._run_amaranth(beats, stalls, progress)
        elif simulator == "native":
            seen, began = self._run_native(beats, stalls, progress)
        else:
            seen, began = self._run_cocotb(beats, stalls, simulator, progress)
        comparison = compare(seen, golden.levels, golden.logits, shapes_of(self._interface))
        return Verification(
            samples=len(levels),
            mismatches=comparison.mismatches,
            first=comparison.first,
            cycles_per_sample=_interval(seen),
            cycles_predicted=None if predicted is None else predicted.interval,
            cycle_exact=None if predicted is None else _same_cycles(seen, predicted),
            events=sum(int((log.beats["level"] > 0).sum()) for log in seen.events.values()),
            seconds=time.perf_counter() - began,
            simulator=seen.simulator,
        )

    def synth(
        self,
        device: str,
        *,
        speed: int | None = None,
        seeds: int = 1,
        use_cache: bool = True,
        timeout: float | None = TIMEOUT,
        progress: Callable[[str], None] | None = None,
    ) -> SynthResult:
        """Synthesize, and place and route where an open tool can; see `spikefold_boards.synth`."""
        options: dict[str, Any] = {} if progress is None else {"progress": progress}
        options |= {"speed": speed, "seeds": seeds, "use_cache": use_cache, "timeout": timeout}
        with self._built() as build:
            return synthesize(build.artefact, device, **options)

    def verilog(self) -> Mapping[str, str]:
        """The Verilog files by name; checked to hold no multiplier."""
        return self._emission.verilog

    @cached_property
    def _emission(self) -> Emission:
        plan, architecture = self.plan, self.architecture
        emission = emit(
            architecture.top(plan), self.name, architecture.describe(plan), architecture.memory_choices(plan)
        )
        if count := count_multipliers(emission.verilog):
            raise RuntimeError(f"Design must hold no multiplier, but holds {count}")
        return emission

    def write(self, path: Path | str) -> None:
        """Write the build directory (`docs/ir.md`); an earlier build there is replaced.

        Raises
        ------
        BuildError
            If `path` holds something else.
        """
        path = Path(path)
        emission = self._emission
        files = {f"rtl/{name}": text.encode() for name, text in emission.verilog.items()}
        files |= {f"models/{name}": text.encode() for name, text in emission.models.items()}
        files[LINT] = emission.lint.encode()
        for name, image in self.images.items():
            files[f"mem/{name}.mem"] = image.hexadecimal
            files[f"mem/{name}.bin"] = image.data.tobytes()
        files["report.html"] = report_html(self.summary).encode()
        write_build(path, self.network, self.architecture, self.plan, top_name(self.name), files, self.info)
        self.path = path

    def _predict(self, levels: NDArray[np.int64], golden: Run) -> Cycles:
        return self.architecture.predict(self.plan, {INPUT: levels, **golden.levels})

    def _limits(self, stalls: Stalls) -> dict[str, Any]:
        """Arguments of every engine: silence after which a run hangs or has ended, and what to load."""
        flow, interface = 1 - max(stalls.input, stalls.output), self._interface
        images = self.images.values() if interface.loaded else ()
        return {
            "watchdog": WATCHDOG + int(2 * interface.longest_silence / flow),
            "tail": TAIL + interface.trailing_silence,
            "load": b"".join(image.data.tobytes() for image in images),
        }

    def _beats(self, levels: NDArray[np.int64]) -> NDArray[np.void]:
        return encode_beats(levels, shapes_of(self._interface)[INPUT])

    @contextmanager
    def _built(self) -> Iterator[Build]:
        """The checked build directory; a temporary one for a design that was never written."""
        if self.path is not None:
            yield read_build(self.path)
            return
        with work_folder() as folder:
            self.write(folder / "build")
            try:
                yield read_build(folder / "build")
            finally:
                self.path = None

    def _run_cocotb(
        self, beats: NDArray[np.void], stalls: Stalls, simulator: str, progress: Progress | None
    ) -> tuple[Observation, float]:
        with self._built() as build:
            engine = CocotbEngine(build.artefact, simulator, progress=progress)
            engine.build()
            began = time.perf_counter()
            return engine.run(beats, stalls, **self._limits(stalls)), began

    def _run_native(
        self,
        beats: NDArray[np.void],
        stalls: Stalls,
        progress: Progress | None,
        trace: Path | None = None,
    ) -> tuple[Observation, float]:
        with self._built() as build:
            engine = NativeEngine(build.artefact, progress=progress)
            if trace is None:
                engine.build()
            began = time.perf_counter()
            return engine.run(beats, stalls, **self._limits(stalls), trace=trace), began

    def _run_amaranth(
        self, beats: NDArray[np.void], stalls: Stalls, progress: Progress | None
    ) -> tuple[Observation, float]:
        contents = {name: image.words for name, image in self.images.items()}
        top = self.architecture.top(self.plan, contents)
        probes = self.architecture.probes(self.plan, top)
        began = time.perf_counter()
        engine = AmaranthEngine(top, probes, ports_of(self._interface), progress=progress)
        return engine.run(beats, stalls, **self._limits(stalls)), began


def load(path: Path | str) -> Design:
    """Load a build directory after checking every file against its manifest.

    Raises
    ------
    BuildError
        If it is no build, or a file is missing, truncated or edited.
    """
    build = read_build(Path(path))
    return Design(build.network, build.plan, build.info, build.path)


def _some(levels: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(levels):
        raise InputError("Samples must be at least one, not 0")
    return levels


def _interval(seen: Observation) -> float:
    results = seen.result_cycles
    if len(results) < 2:
        return float(results[-1] - seen.start_cycles[0] + 1) if len(results) else 0.0
    return float(results[-1] - results[0]) / (len(results) - 1)


def _same_cycles(seen: Observation, predicted: Cycles) -> bool:
    first = seen.start_cycles[0]
    return np.array_equal(seen.result_cycles - first, predicted.results) and np.array_equal(
        seen.start_cycles - first, predicted.starts
    )
