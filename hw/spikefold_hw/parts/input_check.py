"""What a host sends is checked where it comes in: a broken sample spoils itself and nothing else."""

from collections.abc import Iterator

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Out

from spikefold_hw.parts.admission import Admission
from spikefold_hw.parts.cell_counter import CellCounter
from spikefold_hw.parts.input_rules import CAUSES
from spikefold_hw.streams import EventStream


class InputCheck(Admission):
    """Lets good samples pass, one beat a cycle, and mends broken ones.

    At the first wrong beat of a sample the rest is discarded up to its `end_sample`; then the positions that
    are missing follow as bare marks. So a network gets nothing but whole samples, one for each `end_sample`.

    Parameters
    ----------
    events
        What a sample is.
    tag_bits
        Width of a sample's tag.

    Members
    -------
    violations : Out(4)
        A strobe for each of `CAUSES`; several may meet in one beat.

    The others are those of `Admission`; `input_rules.admit` is the model.
    """

    checks = True
    latency = 1
    """Cycles from a beat on `i` to the same beat on `o`."""

    violations: Signal

    def __init__(self, events: EventStream, tag_bits: int = 0):
        self._events = events
        super().__init__(events, tag_bits, {"violations": Out(len(CAUSES))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.cells = cells = CellCounter(self._events.map.positions, self._events.time)
        last_cell = Signal()
        discarding, filling = Signal(), Signal()
        room, passes, fills, mark = Signal(), Signal(), Signal(), Signal()
        beat, taken = self.i.payload, self.i.valid & self.i.ready
        wrong = Signal(len(CAUSES))
        m.d.comb += [
            last_cell.eq(cells.last_position & cells.last_step),
            wrong.eq(Cat(self._rules(m, cells, last_cell, taken, fills))),
            room.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(room & ~filling & (self.open | ~self.hold)),
            passes.eq(taken & ~discarding & ~wrong.any()),
            fills.eq(filling & room),
            mark.eq(fills | (passes & beat.end_position)),
            cells.next.eq(mark),
            self.ended.eq(mark & last_cell),
            self.violations.eq(Mux(taken & ~discarding, wrong, 0)),
        ]
        with m.If(taken & (discarding | wrong.any())):
            m.d.sync += [discarding.eq(~beat.end_sample), filling.eq(beat.end_sample)]
        with m.If(fills & last_cell):
            m.d.sync += filling.eq(0)
        with m.If(taken | self.ended):
            m.d.sync += self.open.eq(~self.ended)
        with m.If(room):
            m.d.sync += self.o.valid.eq(passes | fills)
            m.d.sync += [
                self.o.payload.index.eq(beat.index),
                self.o.payload.level.eq(Mux(filling, 0, beat.level)),
                self.o.payload.end_position.eq(mark),
                self.o.payload.end_step.eq(mark & cells.last_position),
                self.o.payload.end_sample.eq(mark & last_cell),
            ]
        self._ticket(m, filling)
        return m

    def _rules(
        self, m: Module, cells: CellCounter, last_cell: Value, taken: Value, fills: Value
    ) -> Iterator[Value]:
        """Whether the beat breaks each of `CAUSES`."""
        beat = self.i.payload
        fires = beat.level != 0
        below, some = Signal.like(beat.index), Signal()
        # Whether the beat is wrong comes late and does not matter here: the rest is discarded, then filled.
        with m.If(taken & fires):
            m.d.sync += below.eq(beat.index)
        with m.If(taken | fills):
            m.d.sync += some.eq(~fills & ~beat.end_position & (some | fires))
        yield fires & _above(beat.index, self._events.map.channels - 1)
        yield fires & some & (beat.index <= below)
        yield _above(beat.level, self._events.levels) | ~(fires | beat.end_position)
        ends = Cat(beat.end_step, beat.end_sample)
        yield ends != Mux(beat.end_position, Cat(cells.last_position, last_cell), 0)

    def _ticket(self, m: Module, filling: Value) -> None:
        """What the sample's result will carry: `error`, and the tag of the beat with `end_sample`."""
        m.d.comb += self.ticket.error.eq(filling)
        if self.tag_bits:
            kept = Signal(self.tag_bits)
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += kept.eq(self.i.payload.tag)
            m.d.comb += self.ticket.tag.eq(Mux(filling, kept, self.i.payload.tag))


def _above(value: Value, largest: int) -> Value:
    """Whether it is above a number; plainly not, where it has no bits for that."""
    return value > largest if largest < (1 << len(value)) - 1 else Const(0)
