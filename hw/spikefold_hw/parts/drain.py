"""What NeuronUnit and Readout share: naming the sums that arrive, and fetching what each word needs."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.neuron import Integers
from spikefold.ir.projections import Identity
from spikefold.ir.stages import Population
from spikefold_hw.parts.cell_counter import CellCounter
from spikefold_hw.parts.level_buffer import LevelBuffer
from spikefold_hw.parts.load import Images, image_memory
from spikefold_hw.parts.memory import Ram, ring_next
from spikefold_hw.parts.occupancy import Occupancy
from spikefold_hw.parts.parameters import parameter_layout, parameter_size
from spikefold_hw.parts.pipeline import Pipeline
from spikefold_hw.parts.shapes import DrainShape
from spikefold_hw.streams import Event, connect, index_bits
from spikefold_hw.typed import Component, View


def entry_latency(shape: DrainShape) -> int:
    """Stages of `DrainSequence.open`: sum, parameters, and with identities one more and one per level bit."""
    bits = [skip.levels.bit_length() for skip in shape.skips]
    return 2 + (1 + sum(bits) if bits else 0)


def skip_streams(shape: DrainShape) -> dict[str, wiring.Member]:
    """Input streams `skip0`, `skip1`, .. with the cells of each identity projection's source."""
    return {
        f"skip{k}": In(stream.Signature(Event(shape.blocks.channels, skip.levels)))
        for k, skip in enumerate(shape.skips)
    }


def skips_of(unit: Component, shape: DrainShape) -> list[stream.Interface]:
    """Those streams of a unit."""
    return [getattr(unit, f"skip{k}") for k in range(len(shape.skips))]


def with_skips(population: Population, sums: Integers, skips: Sequence[Integers]) -> Integers:
    """Sums of windows and identities, (steps, .., channels), for each identity's levels of that shape."""
    total = np.array(sums)
    identities = [p for p in population.projections if isinstance(p, Identity)]
    for identity, levels in zip(identities, skips, strict=True):
        total += [identity.at(step) * levels[step] for step in range(len(levels))]
    return total


class DrainSequence(Component):
    """Counts the words of sums that arrive, and fetches parameters and state of each.

    `word` and the flags belong to the word that is taken with `next`; parameters and state arrive one
    move later. With several time steps the state written with `write` is read when its word comes
    again, a step later; `wait` holds a word back until then, where the words in between are fewer than
    the pipeline's stages.

    Parameters
    ----------
    shape
        The population.
    state
        Bits of a neuron's state; unused with one time step.
    written
        Moves from a word's `next` to the write of its state.
    contents
        Memory images, for simulation in Amaranth.
    """

    advance: Signal
    next: Signal
    wait: Signal
    word: Signal
    first_step: Signal
    last_word: Signal
    last_step: Signal
    last_position: Signal
    parameters: View
    state: View
    write: Signal
    write_state: View

    def __init__(
        self,
        shape: DrainShape,
        state: int,
        written: int,
        contents: Images | None = None,
    ):
        self._shape = shape
        self._steps = shape.time.steps
        self._written = written
        self._contents = contents
        states = data.ArrayLayout(state, shape.blocks.units)
        super().__init__(
            {
                "advance": In(1),
                "next": In(1),
                "wait": Out(1),
                "word": Out(index_bits(shape.blocks.words)),
                "first_step": Out(1),
                "last_word": Out(1),
                "last_step": Out(1),
                "last_position": Out(1),
                "parameters": Out(parameter_layout(shape)),
                "state": Out(states),
                "write": In(1),
                "write_state": In(states),
            }
        )

    def open(
        self, m: Module, sums: stream.Interface, skips: Sequence[stream.Interface], advance: Value
    ) -> list[Pipeline]:
        """Start a unit's pipelines, one per neuron of a word; all of them move with `advance`.

        The `sums` enter, and the levels of the `skips` are added where they belong. Returns the pipelines
        `entry_latency` stages later, with `sum`, the parameters and, with several steps, `state`; the first
        of them has `word` and the flags too.
        """
        m.submodules.drain = self
        buffers = self._skip_buffers(m, skips)
        hold: Value = self.wait
        for buffer in buffers:
            hold = hold | ~buffer.available
        m.d.comb += [
            sums.ready.eq(advance & ~hold),
            self.advance.eq(advance),
            self.next.eq(sums.valid & sums.ready),
        ]
        flags = {name: getattr(self, name) for name in ("word", "last_word", "last_step", "last_position")}
        pipelines = []
        for k in range(self._shape.blocks.units):
            p = Pipeline(m, self.advance, self.next)
            p.stage(sum=sums.payload[k], first_step=self.first_step, **(flags if k == 0 else {}))
            self._capture(p, k)
            if buffers:
                p.stage()
                self._add_skips(p, [buffer.levels[k] for buffer in buffers])
            pipelines.append(p)
        return pipelines

    def _skip_buffers(self, m: Module, skips: Sequence[stream.Interface]) -> list[LevelBuffer]:
        blocks, buffers = self._shape.blocks, []
        for k, (skip, levels) in enumerate(zip(self._shape.skips, skips, strict=True)):
            name = f"{self._shape.name}_skip{k}"
            buffer = LevelBuffer(blocks.channels, blocks.units, skip.levels, skip.depth, name)
            m.submodules[f"skip{k}_buffer"] = buffer
            connect(m, wiring.flipped(levels), buffer.i)
            m.d.comb += [buffer.advance.eq(self.advance), buffer.next.eq(self.next)]
            buffers.append(buffer)
        return buffers

    def _capture(self, p: Pipeline, k: int) -> None:
        """Register parameters and state by themselves: block RAM is slow to answer."""
        neuron = self.parameters[k]
        values = {name: getattr(neuron, name) for name in neuron.shape().members}
        if self._steps > 1:
            values["state"] = Mux(p.first_step, 0, self.state[k])
        p.stage(**values)

    def _add_skips(self, p: Pipeline, levels: list[Value]) -> None:
        """Add level times weight: the weight at the place of each bit of the level, a stage per bit."""
        p.let(**{f"level{k}": level for k, level in enumerate(levels)})
        for k, level in enumerate(levels):
            for bit in range(len(level)):
                weight = Mux(getattr(p, f"level{k}")[bit], getattr(p, f"skip{k}") << bit, 0)
                p.stage(sum=(p.sum + weight)[: self._shape.widths.sum].as_signed())

    def store(self, m: Module, pipelines: list[Pipeline]) -> None:
        """Write the `state` of the word in the pipelines' present stage, if there are steps to come."""
        if self._steps > 1:
            m.d.comb += self.write.eq(pipelines[0].valid & self.advance)
            m.d.comb += [self.write_state[k].eq(p.state) for k, p in enumerate(pipelines)]

    def elaborate(self, platform: object) -> Module:
        words = self._shape.blocks.words
        m = Module()
        m.submodules.cells = cells = CellCounter(self._shape.positions, self._shape.time)
        m.d.comb += [
            self.last_word.eq(self.word == words - 1),
            self.first_step.eq(cells.first_step),
            self.last_step.eq(cells.last_step),
            self.last_position.eq(cells.last_position),
            cells.next.eq(self.next & self.last_word),
        ]
        with m.If(self.next):
            m.d.sync += self.word.eq(ring_next(self.word, words))
        self._fetch_parameters(m, cells)
        if self._steps > 1:
            self._fetch_state(m)
        return m

    def _fetch_parameters(self, m: Module, cells: CellCounter) -> None:
        shape = self._shape
        size = parameter_size(shape)
        memory = image_memory(size.name, parameter_layout(shape), size.depth, self._contents)
        m.submodules.parameter_memory = memory
        read = memory.read_port()
        m.d.comb += [read.en.eq(self.advance), self.parameters.eq(read.data)]
        if shape.parameter_sets == 1:
            m.d.comb += read.addr.eq(self.word)
            return
        row = Signal.like(read.addr)
        following = ring_next(read.addr, size.depth)
        first = Signal.like(row)  # of the present step
        m.d.comb += read.addr.eq(row)
        with m.If(self.next):
            m.d.sync += row.eq(following)
            with m.If(self.last_word & ~cells.leaves_step):
                m.d.sync += row.eq(first)
            with m.Elif(self.last_word):
                m.d.sync += first.eq(following)

    def _fetch_state(self, m: Module) -> None:
        rows = self._shape.state_rows
        m.submodules.state_memory = memory = Ram(
            len(self.state.as_value()), rows, f"{self._shape.name}_state"
        )
        read, write = memory.read_port(), memory.write_port()
        m.d.comb += [
            read.en.eq(self.advance),
            self.state.eq(read.data),
            write.en.eq(self.write),
            write.data.eq(self.write_state),
        ]
        for port, moves in ((read, self.next), (write, self.write)):
            with m.If(moves):
                m.d.sync += port.addr.eq(ring_next(port.addr, rows))
        if rows <= self._written:
            # As many words are under way as there are states: the next word's is still to be written.
            m.d.comb += self.wait.eq(Occupancy(m, "pending", rows, self.next, self.write).full)
