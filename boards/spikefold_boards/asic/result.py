"""What mapping to standard cells found."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from spikefold_boards.asic.memories import Memory


@dataclass(frozen=True)
class CellsResult:
    """Area, speed and memories of one design in one library of standard cells.

    Attributes
    ----------
    cells, corner
        The library, and process, supply and temperature of its figures.
    area_um2, sequential_area_um2
        Area of all cells, and of the flip-flops among them; memories have none, nor do wires.
    gate_equivalents
        The area in two-input NANDs of the library.
    gates, flip_flops
        How many cells there are, flip-flops included, and how many flip-flops.
    memories
        What stayed a black box.
    memory_bits
        What they hold together.
    multipliers
        Multiplier-like operators of the elaborated design; and nothing but cells of the library and
        memories is in the netlist.
    period_ns
        The clock period that gates were chosen and sized for.
    fmax_mhz
        By OpenSTA, with ideal nets and clock: no wire delays anything. None for a design without a path.
    critical_path
        The slowest path, one text per hop.
    seconds, cached, tools
        As in `spikefold_boards.SynthResult`.
    """

    cells: str
    corner: str
    area_um2: float
    sequential_area_um2: float
    gate_equivalents: float
    gates: int
    flip_flops: int
    memories: tuple[Memory, ...]
    memory_bits: int
    multipliers: int
    period_ns: float
    fmax_mhz: float | None
    critical_path: tuple[str, ...]
    seconds: float
    cached: bool
    tools: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """The result as a JSON object; `from_json` reads it back."""
        memories = [{**asdict(memory), "bits": memory.bits} for memory in self.memories]
        return {**asdict(self), "memories": memories, "critical_path": list(self.critical_path)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "CellsResult":
        """The result that `to_json` wrote; raises KeyError or TypeError if ``data`` is something else."""
        values = {field.name: data[field.name] for field in fields(cls)}
        names = [field.name for field in fields(Memory)]
        values["memories"] = tuple(Memory(*(each[name] for name in names)) for each in values["memories"])
        return cls(**{**values, "critical_path": tuple(values["critical_path"])})
