"""What an inference takes in gates: the design in standard cells, and what its switching takes."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefold.analysis.integer import integer_operations
from spikefold.design import Design
from spikefold.errors import InputError, ToolError
from spikefold.flow.work import work_folder
from spikefold.runs import Progress
from spikefold_boards.asic.activity import Switching, net_names
from spikefold_boards.asic.libraries import find_cells
from spikefold_boards.asic.memories import Memory
from spikefold_boards.asic.result import CellsResult
from spikefold_boards.asic.synth import GateLevel, gate_level
from spikefold_sim.stalls import Stalls

MEMORY_PJ_PER_BIT = 10 / 64
"""A 64-bit read of an 8 kB cache at 45 nm: 10 pJ (Horowitz, ISSCC 2014, as the papers' 0.9 pJ)."""


@dataclass(frozen=True)
class Access:
    """How often an inference reads and writes a memory, on average."""

    memory: Memory
    reads: float
    writes: float

    @property
    def bits(self) -> float:
        """Bits read and written."""
        return (self.reads + self.writes) * self.memory.width


@dataclass(frozen=True)
class Energy:
    """Energy of an inference in the gates of one design, in pJ, on average over samples back to back.

    Attributes
    ----------
    samples, cycles
        Samples that were run, and clock cycles from the end of the reset until just after the last result.
    period_ns
        The shortest clock period, which leakage is for; what switching takes does not depend on it.
    nets
        How many nets there are; the run gave the activity of every one.
    sequential_pj, combinational_pj
        What flip-flops, with their clock pins and the nets they drive, and other gates take to switch.
    leakage_pj
        What all gates leak in the time of an inference.
    additions
        Synaptic operations as the papers count them: one for each unit of a level and each target.
    coded_additions
        Those that the hardware does, one for each digit of a level under the design's coding.
    accesses
        Of every memory that is a black box.
    """

    samples: int
    cycles: int
    period_ns: float
    nets: int
    sequential_pj: float
    combinational_pj: float
    leakage_pj: float
    additions: float
    coded_additions: float
    accesses: tuple[Access, ...]

    @property
    def logic_pj(self) -> float:
        """All gates; memories, wires and the clock's tree take nothing here."""
        return self.sequential_pj + self.combinational_pj + self.leakage_pj

    @property
    def memory_pj(self) -> float:
        """Memories by a published figure, not by any model of them: `MEMORY_PJ_PER_BIT`."""
        return MEMORY_PJ_PER_BIT * sum(access.bits for access in self.accesses)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        accesses = [
            {"memory": each.memory.name, "reads": each.reads, "writes": each.writes, "bits": each.bits}
            for each in self.accesses
        ]
        derived = {
            "cycles_per_inference": self.cycles / self.samples,
            "logic_pj": self.logic_pj,
            "memory_pj": self.memory_pj,
            "logic_pj_per_addition": self.logic_pj / max(1.0, self.additions),
            "logic_pj_per_coded_addition": self.logic_pj / max(1.0, self.coded_additions),
        }
        return {**asdict(self), "accesses": accesses, **derived}


def synthesize_with_energy(
    design: Design,
    cells: str,
    x: NDArray[np.generic],
    *,
    progress: Callable[[str], None],
    advance: Progress | None = None,
    **options: Any,
) -> tuple[CellsResult, Energy]:
    """Map a design to standard cells, run samples through the gates, and find what an inference takes.

    The samples come back to back without stalls; every logit must equal the golden model's.

    Parameters
    ----------
    cells, options
        As for `spikefold_boards.asic.synth.gate_level`.
    x
        Samples, as `Design.encode` takes them.
    progress, advance
        Told what is done, and samples done and samples in all.

    Raises
    ------
    InputError
        There are no samples, or the library's power figures cannot be used.
    ToolError
        A tool failed, or the gates do not compute what the golden model does.
    """
    if not find_cells(cells).power:
        raise InputError(
            f"Cell library must have power figures for energy to be measured, and {cells!r} has none; "
            "take nangate45"
        )
    if not len(x):
        raise InputError("Samples to measure energy with must be given, not none")
    with design.artefact() as artefact, gate_level(artefact, cells, progress=progress, **options) as gates:
        progress("running the gates")
        switching = _switching(design, gates, x, advance)
        progress("adding up power")
        return gates.result, _energy(design, gates, x, switching)


def _switching(
    design: Design, gates: GateLevel, x: NDArray[np.generic], advance: Progress | None
) -> Switching:
    """What the gates do on samples, after a check of what they answer."""
    runs = replace(design.runs, artefact=lambda: nullcontext(gates.artefact))
    levels = design.encode(x)
    with work_folder() as folder:
        trace = folder / "activity.saif"
        seen = runs.native(design.beats(levels), Stalls(), advance, trace).seen
        golden = design.golden(x)
        wrong = (seen.logits != golden.logits).any(1) | (seen.winners != golden.classes)
        if wrong.any():
            raise ToolError(
                f"Gates of {design.name!r} must compute what the golden model does, but sample "
                f"{int(wrong.argmax())} of {len(x)} differs"
            )
        return Switching.read(trace, "TOP/sim_top/dut")


def _energy(design: Design, gates: GateLevel, x: NDArray[np.generic], switching: Switching) -> Energy:
    count = len(x)
    period_ns = 1000 / gates.result.fmax_mhz if gates.result.fmax_mhz else gates.result.period_ns
    energies = gates.energies(switching)
    hardware = design.summary
    unary = {**hardware, "coding": dict.fromkeys(hardware["coding"], "unary")}
    additions, coded = (
        integer_operations(design.network, each, x).to_json()["total"]["additions"]
        for each in (unary, hardware)
    )
    return Energy(
        samples=count,
        cycles=switching.cycles,
        period_ns=period_ns,
        nets=len(net_names(gates.netlist)),
        sequential_pj=energies.sequential_pj / count,
        combinational_pj=energies.combinational_pj / count,
        leakage_pj=energies.leakage_uw * switching.cycles * period_ns / 1e3 / count,
        additions=additions,
        coded_additions=coded,
        accesses=tuple(
            Access(memory, *(times / count for times in switching.accesses(memory.cell)))
            for memory in gates.result.memories
        ),
    )
