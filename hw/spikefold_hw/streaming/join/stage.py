"""A sum of two sources."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from spikefold.ir import Add
from spikefold_hw.parts.load import Images
from spikefold_hw.streaming.join.shape import JoinShape
from spikefold_hw.streaming.join.times import JoinTimes
from spikefold_hw.streaming.join.unit import AddUnit
from spikefold_hw.streaming.pace import Pace, Work
from spikefold_hw.streaming.planner import Planner
from spikefold_hw.streaming.stage import Features, Sizes, Stage
from spikefold_hw.streaming.times import Levels, Streams
from spikefold_hw.streams import index_bits


@dataclass(frozen=True)
class JoinStage(JoinShape, Stage):
    """The levels of two sources, added neuron by neuron."""

    kind: ClassVar[str] = "sum"

    @classmethod
    def of(cls, planner: Planner, stage: Add) -> Self:
        name, network = stage.name, planner.network
        buffers = planner.buffer(stage, 0), planner.buffer(stage, 1)
        return cls(name, network.maps[name], planner.time, buffers, network.levels_of(name))

    def core(self, images: Images | None) -> AddUnit:
        return AddUnit(self, self.name)

    def times(self, levels: Levels, streams: Streams) -> JoinTimes:
        return JoinTimes(self, levels[self.name], streams)

    def work(self, levels: Levels) -> Work:
        return JoinWork(self, len(levels[self.name]))

    def memories(self) -> Sizes:
        found: Sizes = {}
        for k, buffer in enumerate(self.buffers):
            found |= buffer.memories(f"{self.name}_skip{k}", self.map.channels, 1)
        return found

    def features(self) -> Features:
        bits = self.levels.bit_length() + index_bits(self.map.channels)
        return {"stages": 1, "line_buffers": 0, "neurons": bits * len(self.buffers)}

    def longest_cell(self) -> int:
        # A cell comes event by event, and then its channels are sent.
        return AddUnit.latency + 2 * self.map.channels


class JoinWork(Work):
    """The work of a sum: its channels are sent."""

    def __init__(self, join: JoinShape, samples: int):
        cells = samples * join.time.steps * join.map.positions
        self._pace = Pace.of(samples, scan=np.full(cells, join.map.channels))

    def pace(self, lanes: int = 1, units: int = 1) -> Pace:
        return self._pace
