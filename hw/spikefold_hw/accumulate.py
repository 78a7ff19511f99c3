"""The lanes: every digit is added to, or subtracted from, all accumulators of a block at once."""

from itertools import zip_longest

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.coding import shifts_of
from spikefold.ir.neuron import Integers
from spikefold.ir.profile import LayerProfile
from spikefold.ir.words import weight_lanes
from spikefold_hw.memory import Contents, Rom
from spikefold_hw.streams import Digit


class AccumulateCore(wiring.Component):
    """P accumulators, fed with digits, drained one by one while the next block accumulates.

    A flush copies the sums to the holding registers and clears the accumulators. It is accepted
    only when the registers have been drained; digits always are.

    Parameters
    ----------
    profile
        Shape of the layer.
    digit
        Shape of the digits.
    contents
        Memory images, for simulation in Amaranth.

    Members
    -------
    i : In(stream(Digit))
        Digits of a block, then a flush; blocks in order, the last of a position perhaps narrower.
    o : Out(stream(signed))
        The sums, channel by channel.
    """

    latency = 6
    """Cycles from a flush's handshake to its first sum on the output."""

    def __init__(self, profile: LayerProfile, digit: Digit, contents: Contents | None = None):
        (self._window,) = profile.windows
        self._profile = profile
        self._shifts = shifts_of(self._window.levels, self._window.coding)
        self._contents = contents
        super().__init__(
            {"i": In(stream.Signature(digit)), "o": Out(stream.Signature(signed(profile.widths.accumulator)))}
        )

    def model(self, weight: Integers, digits: list[tuple[int, int, int, bool]]) -> list[int]:
        """Sums that leave for `digits` as `DenseWindow.model` gives them; weight (sets, targets, sources)."""
        lanes, channels, inputs = self._profile.lanes, self._profile.channels, self._window.inputs
        blocks, sums = self._profile.blocks, []
        total, block = [0] * lanes, 0
        for row, shift, sign, flush in digits:
            width = min(lanes, channels - block * lanes)
            if flush:
                sums += total[:width]
                total, block = [0] * lanes, (block + 1) % blocks
                continue
            (step, _), source = divmod(row // inputs, blocks), row % inputs
            for lane in range(width):
                total[lane] += sign * (int(weight[step, block * lanes + lane, source]) << shift)
        return sums

    def elaborate(self, platform: object) -> Module:
        bits = self._profile.widths.accumulator
        m = Module()
        busy = Signal()
        accepted = self.i.valid & self.i.ready
        m.d.comb += self.i.ready.eq(~(self.i.payload.flush & busy))

        add, flush, operands, negative = self._operands(m, accepted)
        held = []
        for lane, operand in enumerate(operands):
            total = Signal(signed(bits), name=f"total{lane}")
            hold = Signal(signed(bits), name=f"hold{lane}", reset_less=True)
            with m.If(flush):
                m.d.sync += [total.eq(0), hold.eq(total)]
            with m.Elif(add):
                m.d.sync += total.eq(_add(total, operand, negative))
            held.append(hold)
        drained = self._drain(m, flush, held)
        with m.If(accepted & self.i.payload.flush):
            m.d.sync += busy.eq(1)
        with m.Elif(drained):
            m.d.sync += busy.eq(0)
        return m

    def _operands(self, m: Module, accepted: Value) -> tuple[Signal, Signal, list[Signal], Value | None]:
        """Fetch, register and shift the weights: four stages, since block RAM is slow to answer."""
        digit, width = self.i.payload, self._window.weight_bits
        row = Signal.like(digit.row, reset_less=True)
        m.d.sync += row.eq(digit.row)
        weights = self._weights(m, row)
        add = _delay(m, accepted & ~digit.flush, 4, "add")
        flush = _delay(m, accepted & digit.flush, 4, "flush")
        shift = _delay(m, digit.shift, 3, "shift", reset_less=True)
        operands = []
        for lane in range(self._profile.lanes):
            bits = weights[lane * width : (lane + 1) * width]
            # One-bit weights are signs: 1 is +1, 0 is -1.
            weight = Cat(1, ~bits).as_signed() if width == 1 else bits.as_signed()
            operand = Signal(signed(max(width, 2) + self._shifts - 1), name=f"operand{lane}", reset_less=True)
            m.d.sync += operand.eq(_shifted(weight, shift, self._shifts))
            operands.append(operand)
        if self._window.coding != "naf":
            return add, flush, operands, None
        return add, flush, operands, _delay(m, digit.negative, 4, "negative", reset_less=True)

    def _weights(self, m: Module, row: Signal) -> Value:
        """Weights of a row, all lanes side by side, two cycles later."""
        profile, window, parts = self._profile, self._window, []
        rows = window.weight_sets * profile.blocks * window.inputs
        for k, lanes in enumerate(weight_lanes(profile)):
            name = f"{profile.name}_weight{k}"
            memory = Rom(name, window.weight_bits * len(lanes), rows, self._contents)
            m.submodules[f"weight_memory{k}"] = memory
            read = memory.read_port()
            weights = Signal.like(read.data, name=f"weights{k}", reset_less=True)
            m.d.comb += [read.addr.eq(row), read.en.eq(1)]
            m.d.sync += weights.eq(read.data)
            parts.append(weights)
        return Cat(*parts)

    def _drain(self, m: Module, flush: Value, held: list[Signal]) -> Value:
        """Move the held sums to the output one by one; returns the strobe of a block's last."""
        profile = self._profile
        lane, block = Signal(range(profile.lanes)), Signal(range(profile.blocks))
        active, move, last = Signal(), Signal(), Signal()
        moved = Signal.like(self.o.payload, reset_less=True)
        short = (profile.channels - 1) % profile.lanes
        last_block = block == profile.blocks - 1
        m.d.comb += [
            self.o.payload.eq(moved),
            last.eq(lane == Mux(last_block, short, profile.lanes - 1)),
            move.eq(active & (self.o.ready | ~self.o.valid)),
        ]
        with m.If(move):
            m.d.sync += [
                self.o.valid.eq(1),
                moved.eq(_select(held, lane)),
                lane.eq(Mux(last, 0, lane + 1)),
            ]
            with m.If(last):
                m.d.sync += block.eq(Mux(last_block, 0, block + 1))
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(flush):
            m.d.sync += active.eq(1)
        with m.Elif(move & last):
            m.d.sync += active.eq(0)
        return move & last


def _delay(m: Module, value: Value, cycles: int, name: str, reset_less: bool = False) -> Signal:
    for k in range(cycles):
        register = Signal(value.shape(), name=f"{name}{k + 1}", reset_less=reset_less)
        m.d.sync += register.eq(value)
        value = register
    return value


def _shifted(weight: Value, shift: Value, shifts: int) -> Value:
    """`weight << shift` for shifts below `shifts`."""
    result = weight << (shifts - 1)
    for k in reversed(range(shifts - 1)):
        result = Mux(shift == k, weight << k, result)
    return result


def _add(total: Signal, operand: Signal, negative: Value | None) -> Value:
    """`total ± operand` with one carry chain: the sign goes in as the carry."""
    if negative is None:
        return total + operand
    flipped = Mux(negative, ~operand, operand)
    return (Cat(negative, total).as_signed() + Cat(negative, flipped).as_signed())[1:]


def _select(values: list[Signal], index: Value) -> Value:
    """`values[index]` as a tree of two-way selections."""
    level: list[Value] = list(values)
    for bit in index:
        level = [Mux(bit, b, a) for a, b in zip_longest(level[::2], level[1::2], fillvalue=level[-1])]
    return level[0]
