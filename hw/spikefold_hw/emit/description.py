"""What the header of a design tells of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from spikefold_hw.parts.counters import Counter


@dataclass(frozen=True)
class Description:
    """What an engineer who opens the Verilog wants to know.

    Attributes
    ----------
    summary
        What the block is and does, in sentences.
    architecture
        Name of its architecture.
    plan
        SHA-256 of its plan; networks with one plan share one Verilog.
    ports
        Meaning and unit of ports by name.
    counters
        In the order of their numbers.
    """

    summary: str = ""
    architecture: str = ""
    plan: str = ""
    ports: Mapping[str, str] = field(default_factory=dict)
    counters: tuple[Counter, ...] = ()
