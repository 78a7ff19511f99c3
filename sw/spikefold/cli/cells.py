"""`spikefold synth --cells`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikefold.cli.figures import fmax_text, seconds_text
from spikefold.cli.frame import Outcome, Sheet
from spikefold.cli.screen import Screen

if TYPE_CHECKING:
    from spikefold.energy import Energy
    from spikefold_boards.asic.result import CellsResult


@dataclass(frozen=True)
class Cells:
    """What is asked of a cell library: options of the command, as `gate_level` takes them."""

    cells: str
    period_ns: float | None
    flop_bits: int
    samples: int | None
    timeout: float
    use_cache: bool

    def run(self, screen: Screen, build: Path) -> Outcome:
        """Map the build and, if asked for, measure its energy."""
        with screen.status("checking the build"):
            from spikefold.cli.samples import choose_samples
            from spikefold.design import load
            from spikefold.energy import synthesize_with_energy
            from spikefold_boards.asic.libraries import find_cells
            from spikefold_boards.asic.synth import synthesize_cells

            find_cells(self.cells)
            design = load(build)
        options: dict[str, Any] = {
            "period_ns": self.period_ns,
            "flop_bits": self.flop_bits,
            "timeout": self.timeout,
            "use_cache": self.use_cache,
        }
        if self.samples is None:
            with screen.status(f"mapping to {self.cells}") as progress, design.artefact() as artefact:
                found = synthesize_cells(artefact, self.cells, progress=progress, **options)
            return Outcome({**found.to_json(), "energy": None, "data": None}, _sheets(found))
        x, source, _ = choose_samples(design, self.samples, None, 0)
        screen.note(f"Samples: {len(x)}, {source}")
        with screen.status(f"mapping to {self.cells}") as progress:
            found, energy = synthesize_with_energy(design, self.cells, x, progress=progress, **options)
        fields = {**found.to_json(), "energy": energy.to_json(), "data": source}
        return Outcome(fields, [*_sheets(found), _energy_sheet(energy)])


def _sheets(found: "CellsResult") -> list[Sheet]:
    rows = [
        ("cell area", f"{found.area_um2:,.0f} µm²"),
        ("of it flip-flops", f"{found.sequential_area_um2:,.0f} µm²"),
        ("in NAND2", f"{found.gate_equivalents:,}"),
        ("gates", f"{found.gates:,}"),
        ("flip-flops", f"{found.flip_flops:,}"),
        ("bits in memories", f"{found.memory_bits:,}, not in the area"),
        ("multipliers", str(found.multipliers)),
        ("Fmax", f"{fmax_text(found.fmax_mhz)}, nothing placed"),
        ("seconds", seconds_text(found.seconds, found.cached)),
    ]
    memories = [(each.name, f"{each.width}x{each.rows}", f"{each.bits:,}") for each in found.memories]
    sheets = [Sheet(f"{found.cells} ({found.corner})", rows)]
    return [*sheets, Sheet("Memories", memories, ("memory", "shape", "bits"))] if memories else sheets


def _energy_sheet(energy: "Energy") -> Sheet:
    found = energy.to_json()
    rows = [
        ("cycles", f"{found['cycles_per_inference']:,.1f}"),
        ("flip-flops and clock pins", f"{energy.sequential_pj:,.1f} pJ"),
        ("other gates", f"{energy.combinational_pj:,.1f} pJ"),
        ("leakage", f"{energy.leakage_pj:,.1f} pJ"),
        ("all gates", f"{energy.logic_pj:,.1f} pJ"),
        ("a synaptic addition", f"{found['logic_pj_per_addition']:.3f} pJ of {energy.additions:,.0f}"),
        ("memories, by a published figure", f"{energy.memory_pj:,.1f} pJ"),
    ]
    return Sheet(f"Energy of an inference, mean of {energy.samples}", rows)
