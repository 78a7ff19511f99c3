"""The plan of a pipeline: everything the Verilog depends on. Networks with one plan share one Verilog."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikefold.codec import decode, encode
from spikefold.ir.coding import Coding
from spikefold.ir.maps import Map
from spikefold.ir.stages import INPUT
from spikefold_hw.memory_choice import MemoryChoice
from spikefold_hw.order import Time
from spikefold_hw.streaming.kinds import kinds_by_name
from spikefold_hw.streaming.layer.shape import LayerShape
from spikefold_hw.streaming.stage import Stage
from spikefold_hw.streams import EventStream


@dataclass(frozen=True)
class Plan:
    """A whole design as the hardware sees it.

    Attributes
    ----------
    name
        Name of the design.
    input
        The input stream.
    stages
        Layers, pools and sums in topological order; the readout is the last.
    loaded
        Whether a host loads weights and parameters after a reset; else they are read-only memories.
    memories
        Where memories are put and what takes their place, of those for which a choice was made.
    checks
        Whether the input is checked, and results of broken samples have `error` set.
    tag_bits
        Width of the tag that goes with a sample.
    """

    architecture: ClassVar[str] = "streaming"

    name: str
    input: EventStream
    stages: tuple[Stage, ...]
    loaded: bool = False
    memories: tuple[MemoryChoice, ...] = ()
    checks: bool = True
    tag_bits: int = 0

    @property
    def time(self) -> Time:
        """Time steps, and their order, of every stage."""
        return self.stages[-1].time

    @property
    def layers(self) -> tuple[LayerShape, ...]:
        """The stages with lanes: populations, the readout last."""
        stages: tuple[object, ...] = self.stages
        return tuple(stage for stage in stages if isinstance(stage, LayerShape))

    @property
    def readout(self) -> LayerShape:
        """The readout."""
        return self.layers[-1]

    @property
    def sources(self) -> dict[str, tuple[Map, int]]:
        """Map and largest level of every event stream by name: input, then all stages but the readout."""
        streams = {INPUT: (self.input.map, self.input.levels)}
        return streams | {stage.name: (stage.map, stage.levels) for stage in self.stages[:-1]}

    @property
    def coding(self) -> dict[str, Coding]:
        """Coding by source name, of the sources that lead to a window."""
        return {p.source: p.coding for layer in self.layers for p in layer.projections}

    def time_of(self, source: str) -> Time:
        """Time steps that a source's stream brings, and their order."""
        return self.input.time if source == INPUT else self.time

    def presented(self, name: str, levels: NDArray[np.integer]) -> NDArray[np.integer]:
        """A source's levels at every time step that its stream presents: a static input's come again."""
        steps = self.input.time.steps
        if name != INPUT or levels.shape[1] == steps:
            return levels
        return np.broadcast_to(levels, (len(levels), steps, *levels.shape[2:]))

    def with_counts(self, lanes: Mapping[str, int], units: Mapping[str, int]) -> "Plan":
        """The same plan with other lanes and units, which must fit their layers."""
        stages = tuple(
            stage.with_counts(lanes[stage.name], units[stage.name]) if stage.name in lanes else stage
            for stage in self.stages
        )
        return replace(self, stages=stages)

    def to_json(self) -> Any:
        """Return plain JSON values; `from_json` reads them back."""
        return encode(self, kinds_by_name())

    @classmethod
    def from_json(cls, data: object) -> "Plan":
        """Inverse of `to_json`.

        Raises
        ------
        InputError
            If a field is missing, unknown or of the wrong type.
        """
        return decode(cls, data, "Hardware plan", kinds_by_name())
