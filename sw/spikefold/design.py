"""A compiled design: run it, verify it, synthesize it, write it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefold.build import IMAGES, copy_files, read_build, working_files, write_build
from spikefold.contents import artefact_in, image_files, load_frame, verilog_files
from spikefold.errors import InputError
from spikefold.files import as_path, write_atomic
from spikefold.flow.artefact import Artefact
from spikefold.flow.run import TIMEOUT
from spikefold.flow.work import work_folder
from spikefold.golden import Golden, Run
from spikefold.ir import Network
from spikefold.ir.stages import INPUT
from spikefold.origin import check_origin, is_known, remember
from spikefold.protocol import ProtocolCheck, check_protocol
from spikefold.report import report_html
from spikefold.results import Simulation, Verification, interval, same_cycles
from spikefold.runs import Gateware, Progress, Runs
from spikefold.shown import design_html, design_line
from spikefold_boards.result import SynthResult
from spikefold_boards.synth import synthesize
from spikefold_hw.architecture import AnyPlan, Architecture
from spikefold_hw.architectures import find_architecture
from spikefold_hw.cycles import Cycles
from spikefold_hw.emit import LINT, Emission, count_multipliers, emit, top_name
from spikefold_hw.interface import Interface
from spikefold_hw.parts.images import Image
from spikefold_sim.beats import encode_beats
from spikefold_sim.dut import ports_of, shapes_of
from spikefold_sim.faults import damaged_loads, with_faults
from spikefold_sim.scoreboard import compare
from spikefold_sim.stalls import Stalls

Samples = NDArray[np.generic]

_TAG_STRIDE = 0x9E3779B1
"""Odd and large, so that tags of simulated samples differ and use all their bits."""


@dataclass(repr=False)
class Design:
    """An integer network on its hardware; `spikefold.compile` and `spikefold.load` make one.

    Attributes
    ----------
    network, plan
        The integer network, and the plan of its hardware.
    info
        What `compile` found out: accuracies, rounding, cycles on calibration data.
    path, digest
        The build directory it was loaded from or written to, if any, and the digest of what is there.
    """

    network: Network
    plan: AnyPlan
    info: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None
    digest: str | None = None

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
            "graph": self._graph,
            "verification": self.info.get("verification"),
            "synthesis": self.info.get("synthesis"),
        }

    @property
    def _graph(self) -> list[dict[str, Any]]:
        """Every stage, the input first: what it is, the shape of what it sends, and whom it reads."""
        maps, stages = self.network.maps, self.network.stages
        first = {"name": INPUT, "kind": INPUT, "shape": list(self.network.input.shape), "sources": []}
        return [first] + [
            {
                "name": stage.name,
                "kind": type(stage).__name__.lower(),
                "shape": list(maps[stage.name])[: 3 if maps[stage.name].positions > 1 else 1],
                "sources": list(dict.fromkeys(stage.sources)),
            }
            for stage in stages
        ]

    def __repr__(self) -> str:
        return design_line(self.name, self.summary)

    def _repr_html_(self) -> str:
        return design_html(self.summary)

    @cached_property
    def interface(self) -> Interface:
        """The design from outside: streams, counters, options."""
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
        levels = _some(self.encode(x))
        return self._predict(levels, self._golden.run(levels, record=True))

    def simulate(
        self,
        x: Samples,
        *,
        stall: float = 0.0,
        seed: int = 0,
        trace: Path | str | None = None,
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
            Waveform to write, `.fst` or `.vcd`, or how often every net changes, `.saif`.
        progress
            Called with samples done and samples in all.

        Raises
        ------
        InputError
            If samples or options do not fit.
        ToolError
            If the simulator fails or the design hangs.
        """
        beats, stalls = self.beats(_some(self.encode(x))), Stalls(stall, stall, seed)
        wave = None if trace is None else as_path("Trace file", trace)
        seen, _, build_seconds = self.runs.native(beats, stalls, progress, wave)
        first = seen.start_cycles[0]
        return Simulation(
            logits=seen.logits,
            classes=seen.winners,
            cycles=int(seen.result_cycles[-1] - first) + 1,
            starts=seen.start_cycles - first,
            results=seen.result_cycles - first,
            seconds=seen.seconds,
            counters=dict(seen.counters),
            build_seconds=build_seconds,
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
        levels = _some(self.encode(x))
        golden = self._golden.run(levels, record=True)
        predicted = None if stall else self._predict(levels, golden)
        beats, stalls = self.beats(levels), Stalls(stall, stall, seed)
        seen, seconds, build_seconds = self.runs.run(simulator, beats, stalls, progress)
        began = time.perf_counter()
        comparison = compare(seen, golden.levels, golden.logits, shapes_of(self.interface))
        return Verification(
            samples=len(levels),
            mismatches=comparison.mismatches,
            first=comparison.first,
            cycles_per_sample=interval(seen),
            cycles_predicted=None if predicted is None else predicted.interval,
            cycle_exact=None if predicted is None else same_cycles(seen, predicted),
            events=sum(int((log.beats["level"] > 0).sum()) for log in seen.events.values()),
            seconds=seconds + time.perf_counter() - began,
            simulator=seen.simulator,
            build_seconds=build_seconds,
        )

    def fuzz(
        self,
        x: Samples,
        *,
        share: float = 0.5,
        stall: float = 0.0,
        seed: int = 0,
        simulator: str = "native",
        progress: Progress | None = None,
    ) -> ProtocolCheck:
        """Send samples through the Verilog, some of them broken: these alone may be spoilt, and are told.

        Loaded memories get damaged frames too, before good ones, and good ones again while samples come.

        Parameters
        ----------
        x
            Samples, as `encode`; the last is never broken.
        share
            Chance of each to be broken, 0..1.
        stall, seed, simulator, progress
            As `verify`; the seed chooses the faults too.

        Raises
        ------
        InputError
            If the design does not check its input, or samples or options do not fit.
        ToolError
            If the simulator fails or the design hangs.
        """
        if not self.interface.checks:
            raise InputError(
                f"Design {self.name!r} must check its input to be fuzzed; compile with checks=True"
            )
        if not 0 <= share <= 1:
            raise InputError(f"Share of broken samples must be 0 to 1, not {share!r}")
        events = ports_of(self.interface).stimulus
        rng = np.random.default_rng(seed)
        beats, faults = with_faults(self.beats(_some(self.encode(x))), events, share, rng)
        runs = self.runs
        if runs.load:
            runs = replace(runs, load=damaged_loads(runs.load, rng))
        seen = runs.run(simulator, beats, Stalls(stall, stall, seed), progress).seen
        return check_protocol(self.network, self.interface, beats, seen, faults)

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
        with self.artefact() as artefact:
            return synthesize(artefact, device, **options)

    def verilog(self) -> Mapping[str, str]:
        """The Verilog files by name; checked to hold no multiplier."""
        return self._emission.verilog

    def lint(self) -> str:
        """Verilator's waivers for the Verilog."""
        return self._emission.lint

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
        path, files = as_path("Output", path), self._files
        files |= {LINT: self.lint().encode(), "report.html": report_html(self.summary).encode()}
        top = top_name(self.name)
        self.digest = write_build(path, self.network, self.architecture, self.plan, top, files, self.info)
        self.path = path
        remember(self.digest)

    @property
    def _files(self) -> dict[str, bytes]:
        """What tools read, by path in a build."""
        return verilog_files(self._emission) | image_files(self.images, self.interface.loaded)

    def _predict(self, levels: NDArray[np.int64], golden: Run) -> Cycles:
        return self.architecture.predict(self.plan, {INPUT: levels, **golden.levels})

    def beats(self, levels: NDArray[np.int64]) -> NDArray[np.void]:
        """What a host sends for levels from `encode`: an array of `spikefold.flow.ports.BEAT`."""
        beats = encode_beats(levels, shapes_of(self.interface)[INPUT])
        if bits := self.interface.tag_bits:
            sample = np.cumsum(beats["end_sample"]) - beats["end_sample"]
            beats["tag"] = sample * _TAG_STRIDE % (1 << bits)
        return beats

    @contextmanager
    def artefact(self) -> Iterator[Artefact]:
        """The design as files that nobody else sees: copied from its build, or written anew.

        A build from elsewhere must hold what would be written; one that was replaced meanwhile is left alone.
        """
        with work_folder() as folder:
            if not self._copied(folder):
                for name, data in self._files.items():
                    write_atomic(folder / name, data)
            yield artefact_in(folder, top_name(self.name), ports_of(self.interface))

    def _copied(self, folder: Path) -> bool:
        """Copy the build that it was loaded from or written to, if that is still there."""
        if self.path is None or self.digest is None:
            return False
        copied = copy_files(self.path, self.digest, folder)
        if copied is None:
            return False
        if not is_known(self.digest):
            check_origin(self.path, copied, self._files)
            remember(self.digest)
        return True

    def _gateware(self) -> Gateware:
        """The gateware itself, for Amaranth's simulator."""
        top = self.architecture.top(self.plan, {name: image.words for name, image in self.images.items()})
        return Gateware(top, self.architecture.probes(self.plan, top))

    @property
    def runs(self) -> Runs:
        """How its Verilog, and its gateware, run in simulators."""
        load = load_frame(self.images) if self.interface.loaded else b""
        return Runs(self.interface, load, self.artefact, self._gateware)


def load(path: Path | str) -> Design:
    """Load a build directory after checking every file against its manifest.

    Raises
    ------
    BuildError
        If it is no build, a file is missing, truncated or edited, or the memory images of a build from
        elsewhere are not those of its network.
    """
    build = read_build(as_path("Build directory", path))
    design = Design(build.network, build.plan, build.info, build.path, build.digest)
    if not is_known(build.digest):
        fresh = image_files(design.images, design.interface.loaded)
        check_origin(build.path, working_files(build.files, (IMAGES,)), fresh)
    return design


def _some(levels: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(levels):
        raise InputError("Samples must be at least one, not 0")
    return levels
