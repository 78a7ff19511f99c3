"""What a host sends is checked where it comes in: a broken sample spoils itself and nothing else."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Out

from spikefold_hw.parts.admission import Admission
from spikefold_hw.parts.cell_counter import CellCounter
from spikefold_hw.parts.input_rules import CAUSES
from spikefold_hw.streams import EventStream
from spikefold_hw.typed import view_signal


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
    latency = 2
    """Cycles from a beat on `i` to the same beat on `o`."""

    violations: Signal

    def __init__(self, events: EventStream, tag_bits: int = 0):
        self._events = events
        super().__init__(events, tag_bits, {"violations": Out(len(CAUSES))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.cells = cells = CellCounter(self._events.map.positions, self._events.time)
        last_cell, room, judged = Signal(), Signal(), Signal()
        discarding, filling, passes, mark = Signal(), Signal(), Signal(), Signal()
        wrong = Signal(len(CAUSES))
        seen = self._see(m, room & ~filling)
        beat = seen.beat
        ends = Cat(beat.end_step, beat.end_sample)
        marks = ends != Mux(beat.end_position, Cat(cells.last_position, last_cell), 0)
        # `room` comes late in a cycle: what would go on is known before it.
        m.d.comb += [
            last_cell.eq(cells.last_position & cells.last_step),
            room.eq(~self.o.valid | self.o.ready),
            judged.eq(seen.valid & ~filling & ~discarding),
            wrong.eq(Cat(seen.index, seen.order, seen.level, marks)),
            passes.eq(judged & ~wrong.any()),
            mark.eq(filling | (passes & beat.end_position)),
            cells.next.eq(room & mark),
            self.open.eq(seen.inside | seen.valid | filling),
            self.ended.eq(room & mark & last_cell),
            self.violations.eq(Mux(room & judged, wrong, 0)),
            self.ticket.error.eq(filling),
        ]
        if self.tag_bits:
            kept = Signal(self.tag_bits)
            with m.If(room & ~filling):
                m.d.sync += kept.eq(beat.tag)
            m.d.comb += self.ticket.tag.eq(Mux(filling, kept, beat.tag))
        with m.If(room & seen.valid & ~filling & ~passes):
            m.d.sync += [discarding.eq(~beat.end_sample), filling.eq(beat.end_sample)]
        with m.If(room & filling & last_cell):
            m.d.sync += filling.eq(0)
        with m.If(room):
            m.d.sync += [
                self.o.valid.eq(passes | filling),
                self.o.payload.index.eq(beat.index),
                self.o.payload.level.eq(Mux(filling, 0, beat.level)),
                self.o.payload.end_position.eq(mark),
                self.o.payload.end_step.eq(mark & cells.last_position),
                self.o.payload.end_sample.eq(mark & last_cell),
            ]
        return m

    def _see(self, m: Module, moves: Value) -> "_Seen":
        """Take a beat, and compare it, in a stage of its own: numbers take long to compare."""
        seen = _Seen(self.i.payload.shape())
        beat, taken = self.i.payload, self.i.valid & self.i.ready
        fires = beat.level != 0
        below, some = Signal.like(beat.index), Signal()
        m.d.comb += self.i.ready.eq((moves | ~seen.valid) & (seen.inside | ~self.hold))
        with m.If(moves | ~seen.valid):
            m.d.sync += seen.valid.eq(taken)
        with m.If(taken):
            m.d.sync += [
                seen.beat.eq(beat),
                seen.inside.eq(~beat.end_sample),
                seen.index.eq(fires & _above(beat.index, self._events.map.channels - 1)),
                seen.order.eq(fires & some & (beat.index <= below)),
                seen.level.eq(_above(beat.level, self._events.levels) | ~(fires | beat.end_position)),
                some.eq(~(beat.end_position | beat.end_sample) & (some | fires)),
            ]
        with m.If(taken & fires):
            m.d.sync += below.eq(beat.index)
        return seen


class _Seen:
    """A beat that was taken: whether there is one, and what is wrong with it by itself.

    `inside` says that its sample goes on after it.
    """

    def __init__(self, layout: data.StructLayout):
        self.beat = view_signal(layout, reset_less=True)
        self.valid, self.inside = Signal(name="seen"), Signal(name="inside")
        self.index, self.order, self.level = (Signal(name=f"wrong_{rule}") for rule in list(CAUSES)[:3])


def _above(value: Value, largest: int) -> Value:
    """Whether it is above a number; plainly not, where it has no bits for that."""
    return value > largest if largest < (1 << len(value)) - 1 else Const(0)
