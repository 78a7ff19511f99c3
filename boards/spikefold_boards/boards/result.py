"""What making a bitstream found."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from spikefold_boards.result import SynthResult


@dataclass(frozen=True)
class BitstreamResult:
    """A design on a board.

    Attributes
    ----------
    board, design
        Names of both.
    clock_mhz
        What the PLL gives the design; None where it does not fit.
    oscillator_mhz
        What the board gives the PLL.
    rounds
        How often it was placed, each time at a clock that follows from the time before.
    file
        Name of the bitstream in the output folder; None where the design does not fit.
    synthesis
        Resources and speed of the whole: design, host, PLL and reset.
    """

    board: str
    design: str
    clock_mhz: float | None
    oscillator_mhz: float
    rounds: int
    file: str | None
    synthesis: SynthResult

    def to_json(self) -> dict[str, Any]:
        """The result as one flat JSON object; `from_json` reads it back."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            **{name: value for name, value in own.items() if name != "synthesis"},
            **self.synthesis.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "BitstreamResult":
        """The result that `to_json` wrote; raises KeyError or TypeError if ``data`` is something else."""
        own = {field.name: data[field.name] for field in fields(cls) if field.name != "synthesis"}
        return cls(**own, synthesis=SynthResult.from_json(data))

    def from_cache(self) -> "BitstreamResult":
        """The same, marked as read from the cache."""
        return replace(self, synthesis=replace(self.synthesis, cached=True))
