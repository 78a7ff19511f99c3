"""A toy kind of stage: a wire, which hands every event on in the same cycle."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir import Pool
from spikefold.ir.maps import Map
from spikefold_hw.order import Time
from spikefold_hw.streaming.pace import Pace, Work
from spikefold_hw.streaming.stage import Stage
from spikefold_hw.streaming.times import Times
from spikefold_hw.streams import Event, connect


class Copy(Pool):
    """A pool of one position: what comes in goes out."""

    def __init__(self, name, source):
        super().__init__(name, source, "max", (1, 1), (1, 1))


@dataclass(frozen=True)
class WireStage(Stage):
    kind: ClassVar[str] = "wire"

    name: str
    map: Map
    time: Time
    source: str
    levels: int

    @classmethod
    def of(cls, planner, stage):
        network = planner.network
        map_, levels = network.maps[stage.name], network.levels_of(stage.name)
        return cls(stage.name, map_, planner.time, stage.source, levels)

    @property
    def sources(self):
        return (self.source,)

    def core(self, images):
        return WireCore(self)

    def times(self, levels, streams):
        return WireTimes(streams[self.source], streams[self.name])

    def work(self, levels):
        return WireWork()

    def memories(self):
        return {}

    def features(self):
        return {"stages": 0}

    def longest_cell(self):
        return 1


class WireCore(wiring.Component):
    cleared = saturated = None

    def __init__(self, wire):
        events = stream.Signature(Event(wire.map.channels, wire.levels))
        super().__init__({"i": In(events), "o": Out(events)})

    @property
    def inputs(self):
        return [self.i]

    def elaborate(self, platform):
        m = Module()
        connect(m, wiring.flipped(self.i), wiring.flipped(self.o))
        return m


class WireTimes(Times):
    def __init__(self, source, out):
        self._source, self._out = source, out
        source.read_by(out.free)

    def advance(self):
        cell = len(self._out.marks)
        if cell == len(self._source.marks):
            return False
        self._out.marks.append(self._source.marks[cell])
        return True


class WireWork(Work):
    def pace(self, lanes=1, units=1):
        return Pace(0.0, {"scan": 0.0})
