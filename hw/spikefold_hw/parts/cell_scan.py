"""Sending cells: a cell is what one position sends at one time step."""

from amaranth.hdl import Module, Mux, Signal, Value, ValueLike
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from spikefold.ir.maps import Map
from spikefold_hw.order import Time
from spikefold_hw.parts.cell_counter import CellCounter
from spikefold_hw.parts.pipeline import Pipeline
from spikefold_hw.streams import index_bits
from spikefold_hw.typed import Component


class CellScan(Component):
    """Names the channels of one cell after the other, and which cell ends a step or sample.

    Parameters
    ----------
    map
        The map whose cells are sent.
    time
        Time steps, and their order.

    Members
    -------
    advance : In(1)
        Enable of the pipeline that sends the cells.
    next : In(1)
        Go on to the next channel.
    void : In(1)
        The present cell is none: it is not counted, and nothing is sent.
    channel : Out
        The present channel.
    last : Out(1)
        It is the cell's last.
    end_step, end_sample : Out(1)
        It is the last of the step, of the sample.
    """

    advance: Signal
    next: Signal
    void: Signal
    channel: Signal
    last: Signal
    end_step: Signal
    end_sample: Signal

    def __init__(self, map: Map, time: Time):  # noqa: A002
        self._map = map
        self._time = time
        super().__init__(
            {
                "advance": In(1),
                "next": In(1),
                "void": In(1),
                "channel": Out(index_bits(map.channels)),
                "last": Out(1),
                "end_step": Out(1),
                "end_sample": Out(1),
            }
        )

    def open(
        self, m: Module, o: stream.Interface, ready: ValueLike, void: ValueLike = 0, **carried: ValueLike
    ) -> Pipeline:
        """Start a pipeline that reads a channel whenever it is `ready`, and stands still while a beat waits.

        Returns it after its first stage, with channel, flags, `void` and what else is `carried`.
        """
        m.submodules.scan = self
        m.d.comb += [
            self.advance.eq(~o.valid | o.ready),
            self.next.eq(self.advance & ready),
            self.void.eq(void),
        ]
        p = Pipeline(m, self.advance, ready)
        p.stage(
            channel=self.channel,
            last=self.last,
            end_step=self.end_step,
            end_sample=self.end_sample,
            void=self.void,
            **carried,
        )
        return p

    def send(self, m: Module, p: Pipeline, o: stream.Interface, level: Value) -> None:
        """The pipeline's last stage: an event for every level above 0, and the mark."""
        level = level[: len(o.payload.level)]
        p.stage(level=level, valid=p.valid & ~p.void & (p.last | level.any()))
        m.d.comb += [
            o.valid.eq(p.valid),
            o.payload.index.eq(p.channel),
            o.payload.level.eq(p.level),
            o.payload.end_position.eq(p.last),
            o.payload.end_step.eq(p.end_step),
            o.payload.end_sample.eq(p.end_sample),
        ]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.cells = cells = CellCounter(self._map.positions, self._time)
        m.d.comb += [
            self.last.eq(self.channel == self._map.channels - 1),
            self.end_step.eq(self.last & cells.last_position),
            self.end_sample.eq(self.end_step & cells.last_step),
            cells.next.eq(self.next & self.last & ~self.void),
        ]
        with m.If(self.next):
            m.d.sync += self.channel.eq(Mux(self.last, 0, self.channel + 1))
        return m
