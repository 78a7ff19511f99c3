"""The lanes: every digit is added to, or subtracted from, all accumulators of a block at once."""

from collections.abc import Iterable, Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from spikefold.ir.neuron import Integers
from spikefold_hw.parts.arithmetic import select
from spikefold_hw.parts.load import Images, image_memory
from spikefold_hw.parts.shapes import LanesShape
from spikefold_hw.parts.weights import weight_lanes, weight_sizes
from spikefold_hw.streams import Digit
from spikefold_hw.typed import Component, view_signal


def accumulate_latency(shape: LanesShape) -> int:
    """Cycles from a flush's handshake to its first word on the output of an `AccumulateCore`."""
    return 6 + (len(shape.weights) > 1)


def sums_layout(bits: int, units: int) -> data.ArrayLayout:
    """A word of sums of so many bits, lowest channel first."""
    return data.ArrayLayout(signed(bits), units)


def digit_of(shape: LanesShape) -> Digit:
    """Shape of the digits that the lanes take."""
    rows = max(shape.rows(port) for port in range(len(shape.weights)))
    return Digit(rows, max(weights.shifts for weights in shape.weights), len(shape.weights))


class AccumulateCore(Component):
    """P accumulators, fed with digits, drained Q at a time while the next block accumulates.

    A flush copies the sums to the holding registers and clears the accumulators. It is accepted
    only when the registers have been drained; digits always are. The digits of all windows go to
    the same accumulators, each with the weights of its own window.

    Parameters
    ----------
    shape
        The lanes and their weights.
    contents
        Memory images, for simulation in Amaranth.

    Members
    -------
    i : In(stream(Digit))
        Digits of a block, then a flush; blocks in order.
    o : Out(stream(ArrayLayout(signed, Q)))
        The sums, channel by channel in words of Q.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: LanesShape, contents: Images | None = None):
        self._shape = shape
        self._shifts = max(weights.shifts for weights in shape.weights)
        self._contents = contents
        super().__init__(
            {
                "i": In(stream.Signature(digit_of(shape))),
                "o": Out(stream.Signature(sums_layout(shape.bits, shape.blocks.units))),
            }
        )

    @property
    def latency(self) -> int:
        """As `accumulate_latency`."""
        return accumulate_latency(self._shape)

    def model(
        self, weights: Sequence[Integers], digits: Iterable[tuple[int, int, int, int, bool]]
    ) -> list[int]:
        """Sums that leave for digits `(window, row, shift, sign, flush)`, channel by channel.

        `weights` are those of each window in its own order of inputs, (sets, channels, inputs).
        """
        blocks, sums, block = self._shape.blocks, [], 0
        total = [0] * blocks.channels
        for window, row, shift, sign, flush in digits:
            channels = blocks.channels_of(block)
            if flush:
                sums += total[channels.start : channels.stop]
                total = [0] * blocks.channels
                block = (block + 1) % blocks.count
                continue
            place, source = divmod(row, self._shape.weights[window].inputs)
            for channel in channels:
                weight = weights[window][place // blocks.count, channel, source]
                total[channel] += sign * (int(weight) << shift)
        return sums

    def elaborate(self, platform: object) -> Module:
        bits = self._shape.bits
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
        """Fetch, register, choose and shift the weights: stages of their own, since block RAM is slow."""
        digit, projections = self.i.payload, self._shape.weights
        stages = 3 + (len(projections) > 1)
        row = Signal.like(digit.row, reset_less=True)
        m.d.sync += row.eq(digit.row)
        weights = [self._weights(m, port, row) for port in range(len(projections))]
        if len(projections) > 1:
            weights = [_chosen(m, weights, _delay(m, digit.window, 3, "window", reset_less=True))]
        shift = _delay(m, digit.shift, stages, "shift", reset_less=True)
        operands = []
        for lane, weight in enumerate(weights[0]):
            operand = Signal(signed(len(weight) + self._shifts - 1), name=f"operand{lane}", reset_less=True)
            m.d.sync += operand.eq(_shifted(weight, shift, self._shifts))
            operands.append(operand)
        add = _delay(m, accepted & ~digit.flush, stages + 1, "add")
        flush = _delay(m, accepted & digit.flush, stages + 1, "flush")
        signs = [digit.window == k for k, one in enumerate(projections) if one.coding == "naf"]
        if not signs:
            return add, flush, operands, None
        negative = digit.negative & (Cat(signs).any() if len(signs) < len(projections) else 1)
        return add, flush, operands, _delay(m, negative, stages + 1, "negative", reset_less=True)

    def _weights(self, m: Module, port: int, row: Signal) -> list[Value]:
        """Weights of a projection's row, lane by lane, two cycles later."""
        shape = self._shape
        bits, weights = shape.weights[port].bits, []
        sizes = weight_sizes(shape, port)
        for k, (size, lanes) in enumerate(zip(sizes, weight_lanes(shape, port), strict=True)):
            memory = image_memory(size.name, size.width, size.depth, self._contents)
            m.submodules[f"{size.name.removeprefix(shape.name + '_')}_memory"] = memory
            read = memory.read_port()
            fetched = Signal.like(read.data, name=f"weights{port}_{k}", reset_less=True)
            m.d.comb += [read.addr.eq(row), read.en.eq(1)]
            m.d.sync += fetched.eq(read.data)
            for place in range(len(lanes)):
                weight = fetched[place * bits : (place + 1) * bits]
                # One-bit weights are signs: 1 is +1, 0 is -1.
                weights.append((Cat(1, ~weight) if bits == 1 else weight).as_signed())
        return weights

    def _drain(self, m: Module, flush: Value, held: list[Signal]) -> Value:
        """Move the held sums to the output word by word; returns the strobe of a block's last."""
        blocks, units = self._shape.blocks, self._shape.blocks.units
        words = [Cat(held[k : k + units]) for k in range(0, blocks.lanes, units)]
        word = Signal(range(len(words)))
        block = Signal(range(blocks.group_blocks))
        active = Signal()
        move = Signal()
        last = Signal()
        moved = view_signal(self.o.payload.shape(), reset_less=True)
        short = (blocks.group_channels - 1) % blocks.lanes // units
        last_block = block == blocks.group_blocks - 1
        m.d.comb += [
            self.o.payload.eq(moved),
            last.eq(word == Mux(last_block, short, len(words) - 1)),
            move.eq(active & (self.o.ready | ~self.o.valid)),
        ]
        with m.If(move):
            m.d.sync += [
                self.o.valid.eq(1),
                moved.as_value().eq(select(words, word)),
                word.eq(Mux(last, 0, word + 1)),
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


def _chosen(m: Module, weights: list[list[Value]], window: Value) -> list[Value]:
    """The weights of one window, lane by lane, one cycle later."""
    chosen: list[Value] = []
    for lane, candidates in enumerate(zip(*weights, strict=True)):
        selected = select(candidates, window)
        weight = Signal(selected.shape(), name=f"chosen{lane}", reset_less=True)
        m.d.sync += weight.eq(selected)
        chosen.append(weight)
    return chosen


def _delay(m: Module, value: Value, cycles: int, name: str, reset_less: bool = False) -> Signal:
    stages = [Signal(value.shape(), name=f"{name}{k + 1}", reset_less=reset_less) for k in range(cycles)]
    for before, register in zip([value, *stages], stages, strict=False):
        m.d.sync += register.eq(before)
    return stages[-1]


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
