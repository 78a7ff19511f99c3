"""A pool: windows of a map, each pooled channel by channel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from spikefold.ir import Pool
from spikefold.ir.maps import Map
from spikefold.ir.stages import Pooling
from spikefold_hw.order import Time
from spikefold_hw.parts.load import Images
from spikefold_hw.parts.pool import PoolUnit
from spikefold_hw.parts.shapes import PoolShape
from spikefold_hw.streaming.pace import Pace, Work
from spikefold_hw.streaming.planner import Planner
from spikefold_hw.streaming.pool.core import PoolCore
from spikefold_hw.streaming.pool.times import PoolTimes
from spikefold_hw.streaming.stage import Features, Sizes, Stage
from spikefold_hw.streaming.times import Levels, Streams
from spikefold_hw.streaming.window.clock import TapTimes
from spikefold_hw.streaming.window.cost import line_memories, ring_bits, walk_cycles
from spikefold_hw.streaming.window.line_buffer import LineBuffer
from spikefold_hw.streaming.window.shape import WindowShape
from spikefold_hw.streams import index_bits


@dataclass(frozen=True)
class PoolStage(Stage):
    """A pool as the hardware sees it; `levels` is the largest that leaves."""

    kind: ClassVar[str] = "pool"

    name: str
    map: Map
    time: Time
    pooling: Pooling
    window: WindowShape
    levels: int

    @classmethod
    def of(cls, planner: Planner, stage: Pool) -> Self:
        name, network = stage.name, planner.network
        window = planner.window(stage, 0, kept=True)
        return cls(name, network.maps[name], planner.time, stage.pooling, window, network.levels_of(name))

    @property
    def windows(self) -> tuple[WindowShape, ...]:
        return (self.window,)

    @property
    def unit_shape(self) -> PoolShape:
        """What the pooling unit needs to know."""
        return PoolShape(self.map, self.pooling, self.window.levels, self.levels, self.time)

    def core(self, images: Images | None) -> PoolCore:
        return PoolCore(self.window, self.unit_shape, self.name)

    def times(self, levels: Levels, streams: Streams) -> PoolTimes:
        first = self.time.in_cells(levels[self.name], self.map)
        taps = TapTimes.of(levels[self.window.source], self.window, self.time)
        return PoolTimes(self.window, taps, first, streams[self.window.source], streams[self.name])

    def work(self, levels: Levels) -> Work:
        return PoolWork(self, levels)

    def memories(self) -> Sizes:
        bank = self.levels.bit_length(), self.map.channels
        banks = {f"{self.name}_bank{k}": bank for k in range(2)}
        return line_memories(self.name, self.window) | banks

    def features(self) -> Features:
        bits = self.levels.bit_length() + index_bits(self.map.channels)
        return {"stages": 1, "line_buffers": ring_bits(self.window), "neurons": bits}

    def longest_cell(self) -> int:
        # Its window is gathered; both banks of channels are scanned.
        return LineBuffer.latency + walk_cycles(self.window) + PoolUnit.latency + 2 * self.map.channels


class PoolWork(Work):
    """The work of a pool: its windows are gathered, and its channels sent."""

    def __init__(self, pool: PoolStage, levels: Mapping[str, np.ndarray]):
        values = levels[pool.window.source]
        gathered = np.array(TapTimes.of(values, pool.window, pool.time).total) + 1
        sent = np.full(len(gathered), pool.map.channels)
        self._pace = Pace.of(len(values), gather=gathered, scan=sent)

    def pace(self, lanes: int = 1, units: int = 1) -> Pace:
        return self._pace
