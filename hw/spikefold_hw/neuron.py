"""The neuron unit: one membrane update per cycle, without a multiplier or divider."""

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.network import Population
from spikefold.ir.neuron import Integers, ShiftSum, ladder_weights
from spikefold.ir.profile import LayerProfile
from spikefold_hw.drain import DrainSequence
from spikefold_hw.memory import Contents
from spikefold_hw.pipeline import Pipeline
from spikefold_hw.streams import Event


def neuron_latency(profile: LayerProfile, steps: int) -> int:
    """Cycles from a sum's handshake to its event on the output of a `NeuronUnit`."""
    neuron = profile.neuron
    leak = 1 + (len(neuron.leak.terms) if steps > 1 else 0)
    factor = 1 + len(neuron.factor.terms) if neuron.factor is not None and steps > 1 else 0
    half = not neuron.merged and neuron.rounding == "half_up"
    return 2 + leak + factor + (neuron.membrane_bits is not None) + half + len(ladder_weights(neuron.levels))


def state_bits(profile: LayerProfile, steps: int) -> int:
    """Bits kept per neuron between steps: the membrane, and with a reset factor whether it fired."""
    return profile.widths.membrane + _counts_fired(profile, steps)


def _counts_fired(profile: LayerProfile, steps: int) -> bool:
    return profile.neuron is not None and profile.neuron.reset == "scale" and steps > 1


class NeuronUnit(wiring.Component):
    """Turns sums into levels: spec section 4, every reset, rounding, leak and D.

    A rigid pipeline: shift and bias, leak, reset factor, saturation, then the ladder (subtract a
    multiple of θ if the rest stays >= 0), then the reset. All of it stands still while an event
    waits on the output. Silent neurons send nothing, but for a step's last, which carries the mark.

    Parameters
    ----------
    profile
        Shape of a spiking layer.
    steps
        Time steps T; with one step there is no membrane memory.
    contents
        Memory images, for simulation in Amaranth.

    Members
    -------
    i : In(stream(signed))
        Sums of all channels of a time step, then those of the next.
    o : Out(stream(Event))
        The channels that fired, in order, and a mark after each step.
    saturated : Out(1)
        Strobe: a membrane was clipped.
    """

    def __init__(self, profile: LayerProfile, steps: int, contents: Contents | None = None):
        self._profile = profile
        self._neuron = profile.neuron
        self._steps = steps
        self._contents = contents
        super().__init__(
            {
                "i": In(stream.Signature(signed(profile.widths.accumulator))),
                "o": Out(stream.Signature(Event(profile.channels, profile.neuron.levels))),
                "saturated": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """As `neuron_latency`."""
        return neuron_latency(self._profile, self._steps)

    def model(self, population: Population, sums: Integers) -> Integers:
        """Levels for the sums of one sample; both of shape (steps, channels)."""
        v, fired = np.zeros_like(sums[0]), np.zeros(len(sums[0]), bool)
        levels = []
        for step, total in enumerate(sums):
            current = (total << population.fraction) + population.bias_at(step)
            level, v, fired = population.neuron.step(current, v, fired, step)
            levels.append(level)
        return np.stack(levels)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = state_bits(self._profile, self._steps)
        sequence = DrainSequence(self._profile, self._steps, bits, self._contents)
        p = sequence.open(m, self.i, self.o)
        self._capture(p, sequence)
        self._charge(p)
        self._scale(p)
        self._saturate(m, p, sequence.advance)
        self._fire(p)
        m.d.comb += [
            self.o.valid.eq(p.valid & (p.fires | p.last_channel)),
            self.o.payload.index.eq(p.channel),
            self.o.payload.level.eq(p.level),
            self.o.payload.end_position.eq(p.last_channel),
            self.o.payload.end_step.eq(p.last_channel),
            self.o.payload.end_sample.eq(p.last_channel & p.last_step),
        ]
        if self._steps > 1:
            self._reset(p)
            sequence.store(m, p, p.state)
        return m

    def _potential(self, value: Value) -> Value:
        """Cut to the proven width of the membrane potential."""
        bits = self._profile.widths.potential
        return value[:bits].as_signed() if len(value) > bits else value

    def _capture(self, p: Pipeline, sequence: DrainSequence) -> None:
        """Register parameters and state by themselves: block RAM is slow to answer."""
        parameters = {
            name: getattr(sequence.parameters, name) for name in sequence.parameters.shape().members
        }
        bits = self._profile.widths.membrane
        if self._steps > 1:
            parameters["v"] = Mux(p.first_step, 0, sequence.state[:bits].as_signed())
        if _counts_fired(self._profile, self._steps):
            parameters["fired"] = sequence.state[bits] & ~p.first_step
        p.stage(**parameters)

    def _charge(self, p: Pipeline) -> None:
        """`u = leak(v) + (sum << F) + b`, where b holds h already if nothing acts in between."""
        current = self._potential((p.sum << self._profile.fraction) + p.bias)
        if self._steps == 1:
            p.stage(u=current)
            return
        leaked = self._apply(p, self._neuron.leak, p.v, current=current)
        p.stage(u=self._potential(leaked + p.current if self._neuron.leak.terms else current))

    def _apply(self, p: Pipeline, factor: ShiftSum, value: Value, **carried: Value) -> Value:
        """`factor(value)`, one stage per term; `carried` is registered with the first."""
        total: Value = Const((1 << factor.precision) >> 1, signed(factor.precision + 1))
        bits = self._profile.widths.leak
        for k, (sign, shift) in enumerate(factor.terms):
            term = value << (factor.precision - shift)
            total = (total + term if sign > 0 else total - term)[:bits].as_signed()
            p.stage(total=total, operand=value, **(carried if k == 0 else {}))
            total, value = p.total, p.operand
        return total >> factor.precision

    def _scale(self, p: Pipeline) -> None:
        """`u = factor(u)` if the neuron fired in the step before."""
        factor = self._neuron.factor
        if factor is None or self._steps == 1:
            return
        scaled = self._apply(p, factor, p.u) if factor.terms else Const(0)
        p.stage(u=self._potential(Mux(p.fired, scaled, p.u)))

    def _saturate(self, m: Module, p: Pipeline, advance: Value) -> None:
        """Clip `u` to the membrane's capped width. `v` never leaves that range again."""
        bits = self._neuron.membrane_bits
        if bits is None:
            return
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        over, under = p.u > high, p.u < low
        p.stage(u=Mux(over, high, Mux(under, low, p.u))[:bits].as_signed(), clipped=over | under)
        m.d.comb += self.saturated.eq(p.valid & p.clipped & advance)

    def _fire(self, p: Pipeline) -> None:
        """The ladder: level and rest of the division by θ, one stage per multiple."""
        neuron = self._neuron
        if not neuron.merged and neuron.rounding == "half_up":
            p.stage(r=self._potential(p.u + (p.threshold >> 1)), u=p.u)
        else:
            p.let(r=p.u)
        allowed = p.u >= p.fire_floor if neuron.fire_floor else Const(1)
        level, fires = Const(0), Const(0)
        weights = ladder_weights(neuron.levels)
        for k, weight in enumerate(weights):
            multiple = p.top if k == 0 and neuron.stores_top else p.threshold << (weight.bit_length() - 1)
            rest = self._potential(p.r - multiple)
            taken = ~rest[-1] & allowed
            p.stage(
                r=Mux(taken, rest, p.r),
                level=Mux(taken, level + weight, level)[: neuron.levels.bit_length()],
                fires=fires | taken,
                allowed=allowed,
            )
            level, fires, allowed = p.level, p.fires, p.allowed

    def _reset(self, p: Pipeline) -> None:
        """The membrane for the next step."""
        neuron, bits = self._neuron, self._profile.widths.membrane
        fired = p.allowed if neuron.fire_floor else p.fires
        half = p.threshold >> 1 if neuron.rounding == "half_up" else Const(0)
        kept = p.u - half if neuron.merged else p.u
        if neuron.reset == "subtract":
            kept = p.r - half
        elif neuron.reset == "zero":
            kept = Mux(fired, 0, kept)
        # Adding a zero of that width extends the sign where a membrane is capped wider than it gets.
        state = (kept + Const(0, signed(bits)))[:bits]
        p.stage(state=Cat(state, fired) if _counts_fired(self._profile, self._steps) else state)
