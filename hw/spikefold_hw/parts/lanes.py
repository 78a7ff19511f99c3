"""The lanes: every digit is added to, or subtracted from, all accumulators of a block at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from spikefold.ir.neuron import Integers
from spikefold_hw.parts.arithmetic import add, select
from spikefold_hw.parts.load import Images, image_memory
from spikefold_hw.parts.memory import ring_next
from spikefold_hw.parts.shapes import LanesShape
from spikefold_hw.parts.weights import weight_lanes, weight_sizes
from spikefold_hw.streams import Digit
from spikefold_hw.typed import Component, view_signal

_FAN_IN = 4
"""Words that the first stage of the drain's multiplexer chooses from."""

DRAIN_STAGES = 2
"""Stages of the drain: cycles from a word leaving the holding registers to its place on the output."""

RELEASE_LATENCY = 2
"""Cycles from a block's last word leaving the holding registers to the first in which a flush is accepted."""


def accumulate_latency(shape: LanesShape) -> int:
    """Cycles from a flush's handshake to its first word on the output of an `AccumulateCore`."""
    return 4 + (len(shape.weights) > 1) + _shift_stages(shape) + DRAIN_STAGES


def _shift_bits(shape: LanesShape) -> int:
    return (max(weights.shifts for weights in shape.weights) - 1).bit_length()


def _shift_stages(shape: LanesShape) -> int:
    """Stages that shift the weights: one per bit of the shift but the highest, which acts at the adder."""
    return max(1, _shift_bits(shape) - 1)


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

        digits = self._digits(m, accepted)
        held = []
        for lane, operand in enumerate(self._operands(m, digits)):
            total = Signal(signed(bits), name=f"total{lane}")
            hold = Signal(signed(bits), name=f"hold{lane}", reset_less=True)
            with m.If(digits.flush):
                m.d.sync += [total.eq(0), hold.eq(total)]
            with m.Elif(digits.add):
                m.d.sync += total.eq(add(total, operand, digits.negatives[-1]))
            held.append(hold)
        released = Signal()  # a cycle late, which keeps the way from the output to the digits short
        m.d.sync += released.eq(self._drain(m, digits.flush, held))
        with m.If(accepted & self.i.payload.flush):
            m.d.sync += busy.eq(1)
        with m.Elif(released):
            m.d.sync += busy.eq(0)
        return m

    def _digits(self, m: Module, accepted: Value) -> "_Digits":
        """Delay what a digit says to the stages where it acts."""
        digit, projections, stages = self.i.payload, self._shape.weights, _shift_stages(self._shape)
        fetched = 3 + (len(projections) > 1)
        ends = fetched + stages
        shifts = _delays(m, digit.shift, ends, "shift", reset_less=True)[fetched - 1 :]
        signs = [digit.window == k for k, one in enumerate(projections) if one.coding == "naf"]
        negative = digit.negative & (Cat(signs).any() if len(signs) < len(projections) else 1)
        return _Digits(
            add=_delays(m, accepted & ~digit.flush, ends, "add")[-1],
            flush=_delays(m, accepted & digit.flush, ends, "flush")[-1],
            shifts=shifts,
            negatives=_delays(m, negative, ends, "negative", reset_less=True)[fetched - 1 :]
            if signs
            else [Const(0, 1)] * len(shifts),
        )

    def _operands(self, m: Module, digits: "_Digits") -> list[Value]:
        """Fetch, register, choose, and shift the weights: stages of their own, since block RAM is slow.

        An operand of a negative digit is inverted, to which the adder's carry in adds one. The sign
        joins the first bit of the shift, and the last bit of the shift is left to the adder, where a
        carry chain's own LUT has room for either.
        """
        digit, projections = self.i.payload, self._shape.weights
        row = Signal.like(digit.row, reset_less=True)
        m.d.sync += row.eq(digit.row)
        weights = [self._weights(m, port, row) for port in range(len(projections))]
        if len(projections) > 1:
            window = _delays(m, digit.window, 3, "window", reset_less=True)[-1]
            weights = [_chosen(m, weights, window)]
        bits = _shift_bits(self._shape)
        longest = max(one.shifts for one in projections) - 1
        operands = []
        for lane, weight in enumerate(weights[0]):
            limit, operand = len(weight) + longest, weight
            for stage in range(_shift_stages(self._shape)):
                negative = digits.negatives[stage]
                shifted = operand ^ negative.replicate(len(operand)).as_signed() if stage == 0 else operand
                if bits > 1:
                    shifted = _shifted(shifted, digits.shifts[stage][stage], 1 << stage, negative, limit)
                operand = Signal(shifted.shape(), name=f"operand{lane}_{stage}", reset_less=True)
                m.d.sync += operand.eq(shifted)
            if bits:
                choice = digits.shifts[-1][bits - 1]
                operand = _shifted(operand, choice, 1 << (bits - 1), digits.negatives[-1], limit)
            operands.append(operand)
        return operands

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
        """Move the held sums to the output word by word; returns the strobe of a block's last.

        Two stages choose the word: the first among `_FAN_IN` words of each group, the second a group.
        """
        blocks, units = self._shape.blocks, self._shape.blocks.units
        words = [Cat(held[k : k + units]) for k in range(0, blocks.lanes, units)]
        word = Signal(range(len(words)))
        active = Signal()
        move = Signal()
        chosen = Signal()  # the first stage holds a word
        ready = Signal()
        moved = view_signal(self.o.payload.shape(), reset_less=True)
        place = Signal.like(word, reset_less=True)
        last = self._last(m, word, move, len(words))
        groups = []
        for k in range(0, len(words), _FAN_IN):
            group = Signal(len(words[0]), name=f"group{k // _FAN_IN}", reset_less=True)
            with m.If(move):
                m.d.sync += group.eq(select(words[k : k + _FAN_IN], word[: _place_bits(len(words) - k)]))
            groups.append(group)
        m.d.comb += [
            self.o.payload.eq(moved),
            ready.eq(self.o.ready | ~self.o.valid),
            move.eq(active & (ready | ~chosen)),
        ]
        with m.If(ready):
            group_of = place[_place_bits(_FAN_IN) :]
            m.d.sync += [self.o.valid.eq(chosen), moved.as_value().eq(select(groups, group_of))]
        with m.If(move):
            m.d.sync += place.eq(word)
        m.d.sync += [chosen.eq(move | (chosen & ~ready)), active.eq(flush | (active & ~(move & last)))]
        return move & last

    def _last(self, m: Module, word: Signal, move: Signal, words: int) -> Value:
        """Count words with every move; returns whether the present one is its block's last.

        That is known a move ahead, out of the way of `ready`. The last block may be shorter.
        """
        blocks = self._shape.blocks
        short = (blocks.group_channels - 1) % blocks.lanes // blocks.units
        block, next_block = Signal(range(blocks.group_blocks)), Signal(range(blocks.group_blocks))
        following = Signal.like(word)
        last = Signal(init=(short if blocks.group_blocks == 1 else words - 1) == 0)
        limit = Mux(next_block == blocks.group_blocks - 1, short, words - 1)
        m.d.comb += [
            following.eq(Mux(last, 0, word + 1)),
            next_block.eq(Mux(last, ring_next(block, blocks.group_blocks), block)),
        ]
        with m.If(move):
            m.d.sync += [word.eq(following), block.eq(next_block), last.eq(following == limit)]
        return last


@dataclass(frozen=True)
class _Digits:
    """What a digit says, at the stages where it acts; `shifts` and `negatives` by stage, the adder last."""

    add: Signal
    flush: Signal
    shifts: Sequence[Value]
    negatives: Sequence[Value]


def _place_bits(words: int) -> int:
    """Bits that choose among the words of a group, of so many that are left."""
    return (min(words, _FAN_IN) - 1).bit_length()


def _chosen(m: Module, weights: list[list[Value]], window: Value) -> list[Value]:
    """The weights of one window, lane by lane, one cycle later."""
    chosen: list[Value] = []
    for lane, candidates in enumerate(zip(*weights, strict=True)):
        selected = select(candidates, window)
        weight = Signal(selected.shape(), name=f"chosen{lane}", reset_less=True)
        m.d.sync += weight.eq(selected)
        chosen.append(weight)
    return chosen


def _delays(m: Module, value: Value, cycles: int, name: str, reset_less: bool = False) -> list[Signal]:
    """A value 1, 2, .. cycles later."""
    stages = [Signal(value.shape(), name=f"{name}{k + 1}", reset_less=reset_less) for k in range(cycles)]
    for before, register in zip([value, *stages], stages, strict=False):
        m.d.sync += register.eq(before)
    return stages


def _shifted(value: Value, choice: Value, places: int, negative: Value, limit: int) -> Value:
    """`value`, moved up by so many places if chosen; at most `limit` bits are needed to hold what comes out.

    What is moved in is the sign of a digit, as all bits of a negative one's operand are inverted.
    """
    moved = Cat(negative.replicate(places), value).as_signed()
    return Mux(choice, moved, value)[: min(len(moved), limit)].as_signed()
