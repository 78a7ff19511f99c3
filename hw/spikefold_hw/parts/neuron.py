"""The neuron unit: Q membrane updates per cycle, without a multiplier or divider."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.errors import ModelError
from spikefold.ir.neuron import Integers, ShiftSum
from spikefold.ir.stages import Population
from spikefold_hw.parts.drain import DrainSequence, entry_latency, skip_streams, skips_of, with_skips
from spikefold_hw.parts.lanes import sums_layout
from spikefold_hw.parts.leak import leak_each, leak_stages, precision_of
from spikefold_hw.parts.load import Images
from spikefold_hw.parts.pipeline import Pipeline
from spikefold_hw.parts.serializer import Serializer
from spikefold_hw.parts.shapes import DrainShape, NeuronShape
from spikefold_hw.parts.skid import Skid
from spikefold_hw.streams import Event, connect
from spikefold_hw.typed import Component, View

_FLAGS = data.StructLayout({"last_word": 1, "last_position": 1, "last_step": 1})


def ladder_latency(shape: DrainShape) -> int:
    """Cycles from a word's handshake to its levels."""
    neuron, steps = _neuron_of(shape), shape.time.steps
    leak = 1 + (leak_stages(neuron.leak) if steps > 1 else 0)
    factor = 1 + len(neuron.factor.terms) if neuron.factor is not None and steps > 1 else 0
    half = not neuron.merged and neuron.rounding != "floor"
    return (
        entry_latency(shape) + leak + factor + (neuron.membrane_bits is not None) + half + len(neuron.ladder)
    )


def neuron_latency(shape: DrainShape) -> int:
    """Cycles from a word's handshake to its first event on the output of a `NeuronUnit`."""
    return ladder_latency(shape) + (Serializer.latency if shape.blocks.units > 1 else 0)


def state_bits(shape: DrainShape) -> int:
    """Bits kept per neuron between steps: the membrane, and with a reset factor whether it fired."""
    return shape.widths.membrane + _counts_fired(shape)


def _counts_fired(shape: DrainShape) -> bool:
    return shape.neuron is not None and shape.neuron.reset == "scale" and shape.time.steps > 1


def _neuron_of(shape: DrainShape) -> NeuronShape:
    if shape.neuron is None:
        raise ModelError(f"Population {shape.name!r} must have a neuron, but is a readout")
    return shape.neuron


class NeuronUnit(Component):
    """Turns sums into levels (docs/numerics.md): every reset, rounding, leak and D.

    A rigid pipeline: identities, shift and bias, leak, reset factor, saturation, then the ladder
    (subtract a multiple of θ if the rest stays >= 0), then the reset. All of it stands still from the cycle
    after an event's first on the output until it is taken. With Q > 1 there are Q of these side by side, and
    they stand still too until all events of a word but one have left.

    With "half_even" all multiples but the last are even, and the last one is taken only if the rest exceeds
    an even θ. After "subtract" the membrane is then kept as `-v`: see `_mirrored`.

    Silent neurons send nothing. A cell's mark comes at the turn of its last neuron, or with Q > 1 with
    the last event of its last word.

    Parameters
    ----------
    shape
        A spiking population; with one time step there is no membrane memory.
    contents
        Memory images, for simulation in Amaranth.

    Members
    -------
    i : In(stream(ArrayLayout(signed, Q)))
        Sums of all channels of a cell, in words of Q; cells as the order has it.
    skip0, skip1, .. : In(stream(Event))
        The same cells of each identity projection's source.
    o : Out(stream(Event))
        The channels that fired, in order, and a mark after each cell.
    saturated : Out
        How many membranes were clipped in this cycle.
    """

    i: stream.Interface
    o: stream.Interface
    saturated: Signal

    def __init__(self, shape: DrainShape, contents: Images | None = None):
        self._shape = shape
        self._neuron = neuron = _neuron_of(shape)
        self._steps = shape.time.steps
        self._contents = contents
        super().__init__(
            {
                "i": In(stream.Signature(sums_layout(shape.widths.accumulator, shape.blocks.units))),
                "o": Out(stream.Signature(Event(shape.blocks.channels, neuron.levels))),
                "saturated": Out(range(shape.blocks.units + 1)),
            }
            | skip_streams(shape)
        )

    @property
    def latency(self) -> int:
        """As `neuron_latency`."""
        return neuron_latency(self._shape)

    def model(self, population: Population, sums: Integers, skips: Sequence[Integers] = ()) -> Integers:
        """Levels for a sample's sums and the levels of its skips, all of shape (steps, .., channels)."""
        neuron = population.neuron
        if neuron is None:
            raise ModelError(f"Population {population.name!r} must have a neuron, but is a readout")
        sums = with_skips(population, sums, skips)
        v, fired = np.zeros_like(sums[0]), np.zeros(sums[0].shape, bool)
        levels = []
        for step, total in enumerate(sums):
            current = (total << population.fraction) + population.bias_at(step)
            level, v, fired = neuron.step(current, v, fired, step)
            levels.append(level)
        return np.stack(levels)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shape, blocks = self._shape, self._shape.blocks
        sequence = DrainSequence(shape, state_bits(shape), ladder_latency(shape) + 1, self._contents)
        serializer = None
        if blocks.units > 1:
            m.submodules.serializer = serializer = Serializer(
                blocks.words, blocks.units, self._neuron.levels.bit_length(), _FLAGS
            )
        m.submodules.skid = skid = Skid(stream.Signature(self.o.payload.shape()))
        connect(m, skid.o, wiring.flipped(self.o))
        advance = skid.i.ready if serializer is None else serializer.i.ready
        pipelines = sequence.open(m, self.i, skips_of(self, shape), advance)
        clipped = []
        for p in pipelines:
            self._charge(p)
            self._scale(p)
            clipped.append(self._saturate(p))
            self._fire(p)
        m.d.comb += self.saturated.eq(Mux(sequence.advance, sum(clipped, Const(0)), 0))
        if serializer is None:
            self._send(m, pipelines[0], skid.i)
        else:
            self._serialize(m, pipelines, serializer, skid.i)
        if self._steps > 1:
            for p in pipelines:
                self._reset(p)
            sequence.store(m, pipelines)
        return m

    def _send(self, m: Module, p: Pipeline, o: stream.Interface) -> None:
        m.d.comb += [
            o.valid.eq(p.valid & (p.fires | p.last_word)),
            o.payload.index.eq(p.word),
            o.payload.level.eq(p.level),
        ]
        _mark(m, o.payload, p.last_word, p.last_position, p.last_step)

    def _serialize(
        self, m: Module, pipelines: list[Pipeline], serializer: Serializer, o: stream.Interface
    ) -> None:
        first, word, beat = pipelines[0], serializer.i.payload, serializer.o.payload
        m.d.comb += [
            serializer.i.valid.eq(first.valid),
            word.send.eq(Cat(p.fires for p in pipelines)),
            word.word.eq(first.word),
            word.bare.eq(first.last_word),
            word.flags.last_word.eq(first.last_word),
            word.flags.last_position.eq(first.last_position),
            word.flags.last_step.eq(first.last_step),
            o.valid.eq(serializer.o.valid),
            o.payload.index.eq(beat.index),
            o.payload.level.eq(beat.value),
            serializer.o.ready.eq(o.ready),
        ]
        m.d.comb += [word.values[k].eq(p.level) for k, p in enumerate(pipelines)]
        flags = beat.flags
        _mark(m, o.payload, beat.last & flags.last_word, flags.last_position, flags.last_step)

    def _potential(self, value: Value) -> Value:
        """Cut to the proven width of the membrane potential."""
        bits = self._shape.widths.potential
        return value[:bits].as_signed() if len(value) > bits else value

    def _charge(self, p: Pipeline) -> None:
        """`u = leak(v) + (sum << F) + b`, where b holds h already if nothing acts in between.

        Of `-v` it is the current less the leak of that, whose ties go the other way.
        """
        current = self._potential((p.sum << self._shape.fraction) + p.bias)
        if self._steps == 1:
            p.stage(u=current)
            return
        leak = self._neuron.leak
        if isinstance(leak, ShiftSum):
            leaked = self._apply(p, leak, self._membrane(p), current=current)
        else:
            p.let(current=current)
            half = self._half(precision_of(leak))
            leaked = leak_each(p, leak, lambda: self._membrane(p), self._shape.widths.leak, half)
        if not leak_stages(leak):
            p.stage(u=current)
        else:
            p.stage(u=self._potential(p.current - leaked if self._neuron.mirrored else leaked + p.current))

    def _membrane(self, p: Pipeline) -> Value:
        """The membrane as it is kept, in the stage where the pipeline stands."""
        return p.state[: self._shape.widths.membrane].as_signed()

    def _apply(self, p: Pipeline, factor: ShiftSum, value: Value, **carried: Value) -> Value:
        """`factor(value)`, one stage per term; `carried` is registered with the first."""
        total: Value = Const(self._half(factor.precision), signed(factor.precision + 1))
        bits = self._shape.widths.leak
        for k, (sign, shift) in enumerate(factor.terms):
            term = value << (factor.precision - shift)
            total = (total + term if sign > 0 else total - term)[:bits].as_signed()
            p.stage(total=total, operand=value, **(carried if k == 0 else {}))
            total, value = p.total, p.operand
        return total >> factor.precision

    def _half(self, precision: int) -> int:
        """What rounds a sum of shifted terms half up; of `-v` half down, and its negative is half up."""
        half = (1 << precision) >> 1
        return max(half - 1, 0) if self._neuron.mirrored else half

    def _scale(self, p: Pipeline) -> None:
        """`u = factor(u)` if the neuron fired in the step before."""
        factor = self._neuron.factor
        if factor is None or self._steps == 1:
            return
        scaled = self._apply(p, factor, p.u) if factor.terms else Const(0)
        fired = p.state[self._shape.widths.membrane]
        p.stage(u=self._potential(Mux(fired, scaled, p.u)))

    def _saturate(self, p: Pipeline) -> Value:
        """Clip `u` to the membrane's capped width. `v` never leaves that range again."""
        bits = self._neuron.membrane_bits
        if bits is None:
            return Const(0)
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        over, under = p.u > high, p.u < low
        p.stage(u=Mux(over, high, Mux(under, low, p.u))[:bits].as_signed(), clipped=over | under)
        return p.valid & p.clipped

    def _fire(self, p: Pipeline) -> None:
        """The ladder: level and rest of the division by θ, one stage per multiple."""
        neuron = self._neuron
        if not neuron.merged and neuron.rounding != "floor":
            p.stage(r=self._potential(p.u + (p.threshold >> 1)), u=p.u)
        else:
            p.let(r=p.u)
        allowed: Value = p.u >= p.fire_floor if neuron.fire_floor else Const(1)
        level: Value = Const(0)
        fires: Value = Const(0)
        for k, weight in enumerate(neuron.ladder):
            multiple = p.top if k == 0 and neuron.stores_top else p.threshold << (weight.bit_length() - 1)
            may, last = allowed, neuron.rounding == "half_even" and k == len(neuron.ladder) - 1
            if last:
                multiple, may = self._strict(p), allowed & ~self._full(level)
            rest = self._potential(p.r - multiple)
            taken = ~rest[-1] & may
            left = Mux(taken, rest, p.r)
            p.stage(
                r=~left if last and neuron.mirrored else left,
                level=Mux(taken, level + weight, level)[: neuron.levels.bit_length()],
                fires=fires | taken,
                allowed=allowed,
            )
            level, fires, allowed = p.level, p.fires, p.allowed

    def _strict(self, p: Pipeline) -> Value:
        """The last multiple with "half_even", which leads to an odd level: an even θ must be exceeded."""
        return Cat(Const(1, 1), p.threshold[1:])

    def _full(self, level: Value) -> Value:
        """Whether the even multiples make D already, of an even D: nothing is taken after them."""
        if self._neuron.levels % 2:
            return Const(0)
        return Cat(bit for k, bit in enumerate(level) if self._neuron.levels >> k & 1).all()

    def _mirrored(self, p: Pipeline) -> Value:
        """`-v` after "subtract", from the ladder's rest as `~r`: `h - r`, and `h - r - 1` after `θ + 1`.

        Kept so, that 1 is a carry. With `v` it would have to be added by itself.
        """
        more = p.level[0] & ~p.threshold[0]
        return (Cat(Const(1, 1), p.threshold >> 1) + Cat(~more, p.r).as_signed()) >> 1

    def _reset(self, p: Pipeline) -> None:
        """The membrane for the next step."""
        neuron, bits = self._neuron, self._shape.widths.membrane
        fired = p.allowed if neuron.fire_floor else p.fires
        half = p.threshold >> 1 if neuron.rounding != "floor" else Const(0)
        kept = p.u - half if neuron.merged else p.u
        if neuron.reset == "subtract":
            kept = self._mirrored(p) if neuron.mirrored else p.r - half
        elif neuron.reset == "zero":
            kept = Mux(fired, 0, kept)
        # Adding a zero of that width extends the sign where a membrane is capped wider than it gets.
        state = (kept + Const(0, signed(bits)))[:bits]
        p.stage(state=Cat(state, fired) if _counts_fired(self._shape) else state)


def _mark(m: Module, event: View, ends: Value, last_position: Value, last_step: Value) -> None:
    """The flags of an event that may end a position."""
    m.d.comb += [
        event.end_position.eq(ends),
        event.end_step.eq(ends & last_position),
        event.end_sample.eq(ends & last_position & last_step),
    ]
