"""Taking events apart: one digit per cycle, with the row of weights it adds."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from spikefold_hw.order import Time
from spikefold_hw.parts.cell_counter import CellCounter
from spikefold_hw.parts.digits import is_single, lowest, without_lowest
from spikefold_hw.parts.shapes import WeightsShape
from spikefold_hw.streaming.window.slots import Slot
from spikefold_hw.streams import Digit
from spikefold_hw.typed import Component, view_signal


class DigitIssuer(Component):
    """Takes events apart: every digit of a slot costs one cycle, a flush costs one.

    Rows of weights follow each other by weight set and block, so a flush moves on to the next block's
    rows, and after a cell's last block to those of the next cell's set.

    Parameters
    ----------
    weights
        Of the projection.
    blocks
        Blocks of the layer.
    positions, time
        Of the layer: positions, time steps and their order.

    Members
    -------
    i : In(stream(Slot))
        Events and flushes.
    o : Out(stream(Digit))
        Digits with their weight row, and flushes.
    """

    latency = 1
    """Cycles from a slot's handshake to its first digit on the output."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self, weights: WeightsShape, blocks: int, positions: int, time: Time):
        self._weights, self._blocks = weights, blocks
        self._positions, self._time = positions, time
        self._rows = weights.sets * blocks * weights.inputs
        super().__init__(
            {
                "i": In(stream.Signature(Slot(weights))),
                "o": Out(stream.Signature(Digit(self._rows, weights.shifts))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        weights, digit = self._weights, self.o.payload
        m = Module()
        slot = view_signal(Slot(weights), reset_less=True)
        single = Signal()
        base = Signal(range(self._rows + weights.inputs))
        pending, arriving = slot.event.digits.pending, self.i.payload
        rest = without_lowest(pending, weights.coding)
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | (self.o.ready & single)),
            digit.row.eq(base + slot.event.index),
            digit.shift.eq(lowest(pending, weights.coding)),
            digit.flush.eq(slot.flush),
        ]
        if weights.coding == "naf":
            m.d.comb += digit.negative.eq((slot.event.digits.negative & pending & ~rest).any())
        with m.If(self.i.ready):
            m.d.sync += [
                slot.eq(arriving),
                single.eq(arriving.flush | arriving.event.single),
                self.o.valid.eq(self.i.valid),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += [pending.eq(rest), single.eq(is_single(rest, weights.coding))]
        self._move_base(m, self.o.valid & self.o.ready & slot.flush, base)
        return m

    def _move_base(self, m: Module, flushed: Value, base: Signal) -> None:
        """Move to the rows of the next block at every flush."""
        weights, blocks = self._weights, self._blocks
        if blocks * weights.sets == 1:
            return
        block = Signal(range(blocks))
        following = base + weights.inputs
        last_block = block == blocks - 1
        ends = Signal()
        m.d.comb += ends.eq(flushed & last_block)
        with m.If(flushed):
            m.d.sync += [block.eq(Mux(last_block, 0, block + 1)), base.eq(following)]
        if weights.sets == 1:
            with m.If(ends):
                m.d.sync += base.eq(0)
            return
        m.submodules.cells = cells = CellCounter(self._positions, self._time)
        first = Signal.like(base)  # of the present step
        m.d.comb += cells.next.eq(ends)
        with m.If(ends & ~cells.leaves_step):
            m.d.sync += base.eq(first)
        with m.Elif(ends & cells.last_step):
            m.d.sync += [base.eq(0), first.eq(0)]
        with m.Elif(ends):
            m.d.sync += first.eq(following)
