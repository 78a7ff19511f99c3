"""The readout: sums its current over the time steps and finds the largest class."""

import numpy as np
from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.network import Population
from spikefold.ir.neuron import Integers
from spikefold.ir.profile import LayerProfile
from spikefold_hw.drain import DrainSequence
from spikefold_hw.memory import Contents
from spikefold_hw.pipeline import Pipeline
from spikefold_hw.streams import Logit


def readout_latency(steps: int) -> int:
    """Cycles from a last step's sum to its logit on the output of a `Readout`."""
    return 4 if steps == 1 else 5


class Readout(wiring.Component):
    """Adds up `(sum << F) + b` per class; after the last step it sends logits and the argmax.

    The lowest class wins a tie.

    Parameters
    ----------
    profile
        Shape of the readout layer.
    steps
        Time steps T; with one step there is no memory of sums.
    contents
        Memory images, for simulation in Amaranth.

    Members
    -------
    i : In(stream(signed))
        Sums of all classes of a time step, then those of the next.
    o : Out(stream(Logit))
        One beat per class and sample.
    """

    def __init__(self, profile: LayerProfile, steps: int, contents: Contents | None = None):
        self._profile = profile
        self._steps = steps
        self._contents = contents
        super().__init__(
            {
                "i": In(stream.Signature(signed(profile.widths.accumulator))),
                "o": Out(stream.Signature(Logit(profile.channels, profile.widths.membrane))),
            }
        )

    @property
    def latency(self) -> int:
        """As `readout_latency`."""
        return readout_latency(self._steps)

    def model(self, population: Population, sums: Integers) -> tuple[Integers, int]:
        """Logits and class for the sums of one sample, shape (steps, classes)."""
        currents = [(row << population.fraction) + population.bias_at(k) for k, row in enumerate(sums)]
        logits = np.sum(currents, axis=0)
        return logits, int(logits.argmax())

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self._profile.widths.membrane
        sequence = DrainSequence(self._profile, self._steps, bits, self._contents)
        p = sequence.open(m, self.i, self.o)
        self._sum(p, sequence)
        sequence.store(m, p, p.logit)
        self._compare(m, p, sequence.advance)
        m.d.comb += [
            self.o.valid.eq(p.valid),
            self.o.payload.logit.eq(p.logit),
            self.o.payload.index.eq(p.channel),
            self.o.payload.winner.eq(p.winner),
            self.o.payload.last.eq(p.last_channel),
        ]
        return m

    def _sum(self, p: Pipeline, sequence: DrainSequence) -> None:
        bits = self._profile.widths.membrane
        p.stage(bias=sequence.parameters.bias, before=Mux(p.first_step, 0, sequence.state.as_signed()))
        current = ((p.sum << self._profile.fraction) + p.bias)[:bits].as_signed()
        if self._steps == 1:
            p.stage(logit=current, complete=p.valid)
            return
        p.stage(current=current)
        p.stage(logit=(p.before + p.current)[:bits].as_signed(), complete=p.valid & p.last_step)

    def _compare(self, m: Module, p: Pipeline, advance: Value) -> None:
        """One stage: the larger of this logit and the best before it."""
        best = Signal.like(p.logit, name="best", reset_less=True)
        winner = Signal.like(p.channel, name="winner", reset_less=True)
        # The sign of a difference: a comparison of signed numbers costs a level of logic more.
        larger = (best - p.logit)[-1]
        with m.If(advance & p.complete & (p.first_channel | larger)):
            m.d.sync += [best.eq(p.logit), winner.eq(p.channel)]
        p.stage(valid=p.complete)
        p.let(winner=winner)
