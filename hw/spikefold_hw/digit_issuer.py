"""Taking events apart: one digit per cycle, with the row of weights it adds."""

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.coding import Coding, shifts_of
from spikefold.ir.profile import LayerProfile, Order
from spikefold_hw.digits import lowest, without_lowest
from spikefold_hw.event_buffer import Slot
from spikefold_hw.streams import Digit


class DigitIssuer(wiring.Component):
    """Takes events apart: every digit of a slot costs one cycle, a flush costs one.

    Rows of weights follow each other by weight set and block, so a flush moves on to the next block's
    rows, and after a cell's last block to those of the next cell's set.

    Parameters
    ----------
    layer
        Shape of the layer.
    port
        Which of its windows.
    steps, order
        Time steps T, and how they run.

    Members
    -------
    i : In(stream(Slot))
        Events and flushes.
    o : Out(stream(Digit))
        Digits with their weight row, and flushes.
    """

    latency = 1
    """Cycles from a slot's handshake to its first digit on the output."""

    def __init__(self, layer: LayerProfile, port: int, steps: int, order: Order):
        self._profile = profile = layer.windows[port]
        self._layer = layer
        self._rows = layer.weight_rows(profile)
        self._steps = steps
        self._order = order
        super().__init__(
            {
                "i": In(stream.Signature(Slot(profile))),
                "o": Out(stream.Signature(Digit(self._rows, shifts_of(profile.levels, profile.coding)))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        profile, digit = self._profile, self.o.payload
        m = Module()
        slot, single = Signal(Slot(profile), reset_less=True), Signal()
        base = Signal(range(self._rows + profile.inputs))
        pending, arriving = slot.digits.pending, self.i.payload
        rest = without_lowest(pending, profile.coding)
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | (self.o.ready & single)),
            digit.row.eq(base + slot.index),
            digit.shift.eq(lowest(pending, profile.coding)),
            digit.flush.eq(slot.flush),
        ]
        if profile.coding == "naf":
            m.d.comb += digit.negative.eq((slot.digits.negative & pending & ~rest).any())
        with m.If(self.i.ready):
            m.d.sync += [
                slot.eq(arriving),
                single.eq(arriving.flush | _is_single(arriving.digits.pending, profile.coding)),
                self.o.valid.eq(self.i.valid),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += [pending.eq(rest), single.eq(_is_single(rest, profile.coding))]
        self._move_base(m, self.o.valid & self.o.ready & slot.flush, base)
        return m

    def _move_base(self, m: Module, flushed: Value, base: Signal) -> None:
        """Move to the rows of the next block at every flush."""
        profile, blocks = self._profile, self._layer.blocks
        if blocks * profile.weight_sets == 1:
            return
        block, step = Signal(range(blocks)), Signal(range(self._steps))
        last_block, last_step = block == blocks - 1, step == self._steps - 1
        following = base + profile.inputs
        with m.If(flushed):
            m.d.sync += [block.eq(Mux(last_block, 0, block + 1)), base.eq(following)]
        if profile.weight_sets == 1:
            with m.If(flushed & last_block):
                m.d.sync += base.eq(0)
            return
        last_position = self._last_position(m, flushed & last_block)
        first = Signal.like(base)
        with m.If(flushed & last_block):
            with m.If(~last_position):
                m.d.sync += base.eq(first)
            with m.Else():
                m.d.sync += step.eq(Mux(last_step, 0, step + 1))
                with m.If(last_step):
                    m.d.sync += [base.eq(0), first.eq(0)]
                with m.Else():
                    m.d.sync += first.eq(following)

    def _last_position(self, m: Module, cell: Value) -> Value:
        """Whether the next cell is of the next time step."""
        positions = self._layer.map.positions
        if self._order == "innermost" or positions == 1:
            return Const(1)
        position = Signal(range(positions))
        last = position == positions - 1
        with m.If(cell):
            m.d.sync += position.eq(Mux(last, 0, position + 1))
        return last


def _is_single(pending: Value, coding: Coding) -> Value:
    return without_lowest(pending, coding) == 0
