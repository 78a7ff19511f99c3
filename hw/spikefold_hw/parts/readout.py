"""The readout: sums its current over the time steps and finds the largest class."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from spikefold.ir.neuron import Integers
from spikefold.ir.stages import Population
from spikefold_hw.parts.drain import DrainSequence, entry_latency, skip_streams, skips_of, with_skips
from spikefold_hw.parts.lanes import sums_layout
from spikefold_hw.parts.load import Images
from spikefold_hw.parts.pipeline import Pipeline
from spikefold_hw.parts.serializer import Serializer
from spikefold_hw.parts.shapes import DrainShape
from spikefold_hw.streams import Logit
from spikefold_hw.typed import Component


def logit_latency(shape: DrainShape) -> int:
    """Cycles from a word's handshake to its sums over the time steps so far."""
    return entry_latency(shape) + (1 if shape.time.steps == 1 else 2)


def readout_latency(shape: DrainShape) -> int:
    """Cycles from the handshake of a last step's word to its first logit on the output of a `Readout`."""
    return logit_latency(shape) + 1 + (Serializer.latency if shape.blocks.units > 1 else 0)


class Readout(Component):
    """Adds up `(sum << F) + b` per class; after the last step it sends logits and the argmax.

    The lowest class wins a tie.

    Parameters
    ----------
    shape
        The readout; with one time step there is no memory of sums. It has one position, so time steps
        follow each other in either order.
    contents
        Memory images, for simulation in Amaranth.

    Members
    -------
    i : In(stream(ArrayLayout(signed, Q)))
        Sums of all classes of a time step in words of Q, then those of the next.
    skip0, skip1, .. : In(stream(Event))
        The levels of each identity projection's source, a cell per time step.
    o : Out(stream(Logit))
        One beat per class and sample.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: DrainShape, contents: Images | None = None):
        self._shape = shape
        self._steps = shape.time.steps
        self._contents = contents
        super().__init__(
            {
                "i": In(stream.Signature(sums_layout(shape.widths.accumulator, shape.blocks.units))),
                "o": Out(stream.Signature(Logit(shape.blocks.channels, shape.widths.membrane))),
            }
            | skip_streams(shape)
        )

    @property
    def latency(self) -> int:
        """As `readout_latency`."""
        return readout_latency(self._shape)

    def model(
        self, population: Population, sums: Integers, skips: Sequence[Integers] = ()
    ) -> tuple[Integers, int]:
        """Logits and class for a sample's sums and the levels of its skips, all of shape (steps, classes)."""
        sums = with_skips(population, sums, skips)
        currents = [(row << population.fraction) + population.bias_at(k) for k, row in enumerate(sums)]
        logits = np.sum(currents, axis=0)
        return logits, int(logits.argmax())

    def elaborate(self, platform: object) -> Module:
        m = Module()
        blocks, bits = self._shape.blocks, self._shape.widths.membrane
        sequence = DrainSequence(self._shape, bits, logit_latency(self._shape), self._contents)
        move, serializer = ~self.o.valid | self.o.ready, None
        if blocks.units > 1:
            m.submodules.serializer = serializer = Serializer(
                blocks.words, blocks.units, signed(bits), flags=1
            )
        advance = move if serializer is None else serializer.i.ready
        pipelines = sequence.open(m, self.i, skips_of(self, self._shape), advance)
        for p in pipelines:
            self._sum(p)
        sequence.store(m, pipelines)
        p = pipelines[0]
        if serializer is None:
            p.let(valid=p.valid & p.last_step, logit=p.state, index=p.word, last=p.last_word)
        else:
            p = self._serialize(m, pipelines, serializer, move)
        self._compare(m, p, move)
        m.d.comb += [
            self.o.valid.eq(p.valid),
            self.o.payload.logit.eq(p.logit),
            self.o.payload.index.eq(p.index),
            self.o.payload.winner.eq(p.winner),
            self.o.payload.last.eq(p.last),
        ]
        return m

    def _sum(self, p: Pipeline) -> None:
        """The sum of the currents so far, as the state."""
        bits = self._shape.widths.membrane
        current = ((p.sum << self._shape.fraction) + p.bias)[:bits].as_signed()
        if self._steps > 1:
            p.stage(current=current)
            current = (p.state.as_signed() + p.current)[:bits].as_signed()
        p.stage(state=current)

    def _serialize(
        self, m: Module, pipelines: list[Pipeline], serializer: Serializer, move: Value
    ) -> Pipeline:
        """The classes of a word one after the other, in a pipeline of their own."""
        first, word, beat = pipelines[0], serializer.i.payload, serializer.o.payload
        m.d.comb += [
            serializer.i.valid.eq(first.valid & first.last_step),
            word.send.eq(~0),
            word.word.eq(first.word),
            word.flags.eq(first.last_word),
            serializer.o.ready.eq(move),
        ]
        m.d.comb += [word.values[k].eq(p.state) for k, p in enumerate(pipelines)]
        p = Pipeline(m, move, serializer.o.valid)
        p.let(logit=beat.value, index=beat.index, last=beat.last & beat.flags)
        return p

    def _compare(self, m: Module, p: Pipeline, move: Value) -> None:
        """One stage: the larger of this logit and the best before it."""
        best = Signal.like(p.logit, name="best", reset_less=True)
        winner = Signal.like(p.index, name="winner", reset_less=True)
        # The sign of a difference: a comparison of signed numbers costs a level of logic more.
        larger = (best - p.logit)[-1]
        with m.If(move & p.valid & ((p.index == 0) | larger)):
            m.d.sync += [best.eq(p.logit), winner.eq(p.index)]
        p.stage()
        p.let(winner=winner)
