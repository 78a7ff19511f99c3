"""From a design's Verilog to gates of a cell library, with their area and timing; kept by content."""

import json
import logging
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from spikefold.errors import InputError, ToolError
from spikefold.flow.artefact import Artefact
from spikefold.flow.cache import Cache, key_of
from spikefold.flow.run import TIMEOUT, run
from spikefold.flow.tools import Tool, find_tool
from spikefold.flow.work import work_folder
from spikefold_boards.asic import script
from spikefold_boards.asic.activity import Switching
from spikefold_boards.asic.gates import PlainNetlist, output_pins, plain
from spikefold_boards.asic.liberty import library_cells
from spikefold_boards.asic.libraries import PACKAGE, CellLibrary, find_cells
from spikefold_boards.asic.memories import MemoryModule, memory_modules
from spikefold_boards.asic.power import Energies, add_up
from spikefold_boards.asic.power_tables import PowerTables
from spikefold_boards.asic.result import CellsResult
from spikefold_boards.asic.sta import MEMORIES, Sta, Timing
from spikefold_boards.asic.timing_model import memories_liberty
from spikefold_boards.netlist import MULTIPLIERS, Netlist, count_of
from spikefold_boards.yosys import copy_files

_logger = logging.getLogger(__name__)
_FLOW_VERSION = "1"  # part of the cache key: raise it with any change that can change a result
_RESULT, _NETLIST = "result.json", "timed.json"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class GateLevel:
    """A design in gates: what was found, and the folder of its files, which `artefact` and OpenSTA read."""

    result: CellsResult
    folder: Path
    original: Artefact

    @property
    def netlist(self) -> Netlist:
        """The netlist that was timed."""
        return Netlist.read(self.folder / _NETLIST, self.original.top)

    @property
    def artefact(self) -> Artefact:
        """The gates as a design to simulate: netlist, models of cells, and memories that count accesses."""
        rtl = sorted(self.folder.glob("*.v"))
        rtl = [path for path in rtl if path.name != script.TIMED]
        ports = self.original.ports
        ports = None if ports is None else replace(ports, probes=())
        return replace(self.original, rtl=tuple(rtl), ports=ports)

    def energies(self, switching: Switching, timeout: float | None = TIMEOUT) -> Energies:
        """What a run of `artefact` took.

        Raises
        ------
        ToolTimeoutError, ToolError
            OpenSTA did not end in time, or failed; or the run says nothing of a net.
        """
        top, clock, netlist = self.original.top, self.original.clock, self.netlist
        liberty = find_cells(self.result.cells).liberty()
        types = set(netlist.count()) & set(library_cells(liberty))
        with work_folder() as directory:
            for name in (script.TIMED, MEMORIES):
                shutil.copyfile(self.folder / name, directory / name)
            (directory / script.LIBERTY).write_text(liberty, "utf-8")
            sta = Sta(find_tool("opensta"), directory, top, clock, self.result.period_ns, timeout)
            slews = sta.slews(output_pins(netlist))
        return add_up(netlist, clock, PowerTables.read(liberty, sorted(types)), switching, slews)


@contextmanager
def gate_level(
    artefact: Artefact,
    cells: str,
    *,
    period_ns: float | None = None,
    flop_bits: int = 0,
    cache: Path | None = None,
    use_cache: bool = True,
    timeout: float | None = TIMEOUT,
    progress: Progress = _logger.info,
) -> Iterator[GateLevel]:
    """A design mapped to standard cells, for the length of the block.

    Parameters
    ----------
    artefact
        The design. Files with one memory each become black boxes; other memories flip-flops.
    cells
        ``nangate45`` or ``sky130``.
    period_ns
        The clock period to choose and size gates for; the library's own if None.
    flop_bits
        Memories of at most so many bits become flip-flops and, where they are read-only, logic.
    cache, use_cache, timeout, progress
        As for `spikefold_boards.synthesize`.

    Raises
    ------
    InputError
        An unknown library, or a period, a size or a limit out of range.
    MissingToolError
        yosys, OpenSTA or the library is not installed.
    ToolTimeoutError, ToolError
        One of them did not end in time, or failed.
    """
    library = find_cells(cells)
    period_ns = library.period_ns if period_ns is None else period_ns
    for what, value in (("Limit of time", timeout), ("Clock period", period_ns)):
        if value is not None and not 0 < value < float("inf"):
            raise InputError(f"{what} must be a positive number, not {value!r}")
    if flop_bits < 0:
        raise InputError(f"Bits of memories that become flip-flops must be 0 or more, not {flop_bits!r}")
    flow = _Flow(artefact, library, period_ns, flop_bits, timeout, progress)
    if use_cache:
        results, key = Cache("gates", cache), flow.key()
        kept = results.find(key) is not None
        folder = results.get(key, flow.build)
        found = _read(folder, artefact)
        yield replace(found, result=replace(found.result, cached=kept))
        return
    with work_folder() as folder:
        flow.build(folder)
        yield _read(folder, artefact)


def synthesize_cells(artefact: Artefact, cells: str, **options: Any) -> CellsResult:
    """Area, clock frequency, memories and multipliers of a design in a cell library; as `gate_level`."""
    with gate_level(artefact, cells, **options) as found:
        return found.result


def _read(folder: Path, artefact: Artefact) -> GateLevel:
    result = CellsResult.from_json(json.loads((folder / _RESULT).read_text("utf-8")))
    return GateLevel(result, folder, artefact)


@dataclass(frozen=True)
class _Flow:
    """One design, one library, and the steps from the one to the other."""

    artefact: Artefact
    library: CellLibrary
    period_ns: float
    flop_bits: int
    timeout: float | None
    progress: Progress

    @property
    def tools(self) -> tuple[Tool, Tool]:
        return find_tool("yosys"), find_tool("opensta")

    def key(self) -> str:
        files = {f"rtl {k} {path.name}": path for k, path in enumerate(self.artefact.rtl)}
        if self.flop_bits:
            files |= {f"mem {path.name}": path for path in self.artefact.images}
        clock = self.artefact.clock
        return key_of(
            {
                **{name: path.read_bytes() for name, path in files.items()},
                **{f"tool {tool.name}": tool.version for tool in self.tools},
                "flow": _FLOW_VERSION,
                "result": " ".join(field.name for field in fields(CellsResult)),
                "top": self.artefact.top,
                "images": str(self.artefact.mem is not None),
                "clock": f"{clock.port} {clock.reset}",
                "library": repr(self.library),
                "liberty": self.library.liberty(),
                "options": f"{self.period_ns!r} {self.flop_bits}",
            }
        )

    def build(self, out: Path) -> None:
        """Leave everything that a `GateLevel` needs in an empty folder."""
        start = time.monotonic()
        with work_folder() as directory:
            modules = memory_modules(self.artefact)
            boxed = {name: each for name, each in modules.items() if not each.small(self.flop_bits)}
            netlist = self._map(boxed, directory)
            named = plain(netlist, {each.name for each in boxed.values()})
            self._write(named, directory)
            for name, module in boxed.items():
                (directory / name).write_text(module.model, "utf-8")
            timing = self._time(named, directory)
            result = self._result(netlist, boxed, timing, directory)
            result = replace(result, seconds=round(time.monotonic() - start, 2))
            (directory / _RESULT).write_text(json.dumps(result.to_json(), indent=1), "utf-8")
            kept = (_RESULT, _NETLIST, script.GATES, script.TIMED, script.MODELS, MEMORIES)
            for name in (*kept, *boxed):
                shutil.copyfile(directory / name, out / name)

    def _map(self, boxed: Mapping[str, MemoryModule], directory: Path) -> Netlist:
        copy_files(self.artefact, directory)
        stubs = "\n".join(module.stub for module in boxed.values())
        (directory / script.BOXES).write_text(stubs, "utf-8")
        (directory / script.LIBERTY).write_text(self.library.liberty(), "utf-8")
        (directory / script.CONSTRAINTS).write_text(script.constraints(self.library), "utf-8")
        self.progress(f"mapping to {self.library.name}")
        self._yosys(script.mapping(self.artefact, tuple(boxed), self.library, self.period_ns), directory)
        return Netlist.read(directory / script.MAPPED, self.artefact.top)

    def _write(self, named: PlainNetlist, directory: Path) -> None:
        """The netlist as Verilog, and the models of its cells."""
        top, boxes = self.artefact.top, set(named.boxes)
        for netlist, verilog in ((named.simulated, script.GATES), (named.timed, script.TIMED)):
            name = Path(verilog).with_suffix(".json").name
            netlist.write(directory / name)
            self._yosys(script.writing(name, top, verilog), directory)
        self._yosys(script.modelling(sorted(set(named.timed.count()) - boxes)), directory)
        models = directory / script.MODELS
        models.write_text(f"/* verilator tracing_off */\n{models.read_text('utf-8')}", "utf-8")

    def _time(self, named: PlainNetlist, directory: Path) -> Timing:
        clock, access = self.artefact.clock, self.library.memory_ns
        (directory / MEMORIES).write_text(memories_liberty(named.boxes, clock.port, access), "utf-8")
        self.progress(f"timing in {self.library.name}")
        sta = Sta(self.tools[1], directory, self.artefact.top, clock, self.period_ns, self.timeout)
        return sta.timing(named.names)

    def _yosys(self, lines: list[str], directory: Path) -> None:
        (directory / "run.ys").write_text("\n".join(lines) + "\n", "utf-8")
        run(self.tools[0], ("-q", "run.ys"), directory, timeout=self.timeout)

    def _result(
        self, netlist: Netlist, boxed: Mapping[str, MemoryModule], timing: Timing, directory: Path
    ) -> CellsResult:
        elaborated = Netlist.read(directory / script.ELABORATED, self.artefact.top)
        modules = {module.name: module for module in boxed.values()}
        memories = tuple(
            modules[cell["type"]].instance(name, f"u{number}", cell["parameters"])
            for number, (name, cell) in enumerate(netlist.cells.items())
            if cell["type"] in modules
        )
        sizes = library_cells(self.library.liberty())
        counts = Counter({name: n for name, n in netlist.count().items() if name not in modules})
        if foreign := sorted(set(counts) - set(sizes)):
            raise ToolError(f"Netlist must hold cells of {self.library.name} alone, but holds {foreign!r}")
        flops = {name: n for name, n in counts.items() if sizes[name].flip_flop}
        area = sum(n * sizes[name].area_um2 for name, n in counts.items())
        slack = timing.slack_ns
        return CellsResult(
            cells=self.library.name,
            corner=self.library.corner,
            area_um2=round(area, 2),
            sequential_area_um2=round(sum(n * sizes[name].area_um2 for name, n in flops.items()), 2),
            gate_equivalents=round(area / sizes[self.library.nand].area_um2),
            gates=counts.total(),
            flip_flops=sum(flops.values()),
            memories=memories,
            memory_bits=sum(memory.bits for memory in memories),
            multipliers=count_of(elaborated.count(), MULTIPLIERS),
            period_ns=self.period_ns,
            fmax_mhz=None if slack is None else round(1000 / (self.period_ns - slack), 2),
            critical_path=timing.path,
            seconds=0.0,
            cached=False,
            tools={tool.name: tool.version for tool in self.tools} | {PACKAGE: metadata.version(PACKAGE)},
        )
