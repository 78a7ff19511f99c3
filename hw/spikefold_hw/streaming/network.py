"""The top: every stage of a network, all working at once, and its counters."""

from collections.abc import Iterator, Sequence

from amaranth.hdl import Array, Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.stages import INPUT
from spikefold_hw.fork import Fork
from spikefold_hw.parts.load import LoadChain
from spikefold_hw.parts.memory import Contents
from spikefold_hw.streaming.plan import Plan
from spikefold_hw.streams import Event, Logit, connect, index_bits
from spikefold_hw.typed import Component, Stream

COUNTER_BITS = 32


def counter_names(plan: Plan) -> tuple[str, ...]:
    """Names of the counters, in the order of `counter_select`."""
    names = ["cycles", "samples", *(f"events_{source}" for source in plan.sources)]
    names += [f"saturations_{stage.name}" for stage in plan.stages if stage.saturates]
    return tuple(names)


def readers(plan: Plan) -> dict[str, list[tuple[str, int]]]:
    """Who reads each event stream, by source name: (stage, number of its input)."""
    found: dict[str, list[tuple[str, int]]] = {name: [] for name in plan.sources}
    for stage in plan.stages:
        for port, source in enumerate(stage.sources):
            found[source].append((stage.name, port))
    return found


class NetworkTop(Component):
    """A whole network from input events to logits.

    Samples stream through back to back: a stage works on one part of a sample while the next works on
    the part before. Bare marks are not counted as events.

    Parameters
    ----------
    plan
        The plan; the Verilog depends on nothing else.
    contents
        Memory images, for simulation in Amaranth.

    Members
    -------
    i : In(stream(Event))
        Input levels: the cells of every sample, in the order of `Plan.input.time`.
    o : Out(stream(Logit))
        One beat per class; on the last, `winner` is the class.
    stages : dict
        Layers, pools and sums by name.
    counter_select : In
        Which counter to read, an index into `counter_names`.
    counter_value : Out
        Its value one cycle later, modulo 2^32. `cycles` runs from the first input beat on.
    load : In(stream(8))
        With `Plan.loaded`: the bytes of all memory images, see `LoadChain`.
    loaded : Out(1)
        With `Plan.loaded`: all bytes are there; before that no input is taken.
    """

    counter_select: Signal
    counter_value: Signal
    i: stream.Interface
    load: stream.Interface
    loaded: Signal
    o: stream.Interface

    def __init__(self, plan: Plan, contents: Contents | None = None):
        self.plan = plan
        sizes = [size for stage in plan.stages for size in stage.image_sizes()]
        self._chain = LoadChain(sizes) if plan.loaded else None
        images = self._chain or contents
        self.stages = {stage.name: stage.core(images) for stage in plan.stages}
        first, readout = plan.input, plan.readout
        members = {
            "i": In(stream.Signature(Event(first.map.channels, first.levels))),
            "o": Out(stream.Signature(Logit(readout.channels, readout.widths.membrane))),
            "counter_select": In(index_bits(len(counter_names(plan)))),
            "counter_value": Out(COUNTER_BITS),
        }
        if plan.loaded:
            members |= {"load": In(stream.Signature(8)), "loaded": Out(1)}
        super().__init__(members)

    @property
    def streams(self) -> dict[str, stream.Interface]:
        """Event streams between stages by the name of their stage."""
        return {name: stage.o for name, stage in list(self.stages.items())[:-1]}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, stage in self.stages.items():
            m.submodules[name] = stage
        sources = {INPUT: self._gated(m), **self.streams}
        for name, places in readers(self.plan).items():
            self._join(m, name, sources[name], [self.stages[stage].inputs[port] for stage, port in places])
        connect(m, list(self.stages.values())[-1].o, wiring.flipped(self.o))
        for name, source in self.streams.items():
            _probe(m, name, source)
        self._count(m)
        return m

    def _gated(self, m: Module) -> Stream:
        """The input, held back after a reset until all memories are loaded or cleared."""
        waits = [core.cleared for core in self.stages.values() if core.cleared is not None]
        if self._chain is not None:
            m.submodules.load_chain = self._chain
            connect(m, wiring.flipped(self.load), self._chain.i)
            m.d.comb += self.loaded.eq(self._chain.loaded)
            waits.append(self._chain.loaded)
        if not waits:
            return wiring.flipped(self.i)
        source = stream.Signature(self.i.payload.shape()).create()
        ready = Signal()
        m.d.sync += ready.eq(Cat(waits).all())
        m.d.comb += [
            source.payload.eq(self.i.payload),
            source.valid.eq(self.i.valid & ready),
            self.i.ready.eq(source.ready & ready),
        ]
        return source

    def _join(self, m: Module, name: str, source: Stream, targets: Sequence[stream.Interface]) -> None:
        if len(targets) == 1:
            connect(m, source, targets[0])
            return
        m.submodules[f"fork_{name}"] = fork = Fork(stream.Signature(source.payload.shape()), len(targets))
        connect(m, source, fork.i)
        for k, target in enumerate(targets):
            connect(m, getattr(fork, f"o{k}"), target)

    def _count(self, m: Module) -> None:
        started = Signal()
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += started.eq(1)
        strobes: list[Value] = [started, self.o.valid & self.o.ready & self.o.payload.last]
        strobes += [_event(source) for source in (self.i, *self.streams.values())]
        strobes += list(self._saturations())
        counters = []
        for name, strobe in zip(counter_names(self.plan), strobes, strict=True):
            counter, pulse = Signal(COUNTER_BITS, name=name), Signal.like(strobe, name=f"count_{name}")
            m.d.sync += [pulse.eq(strobe), counter.eq(counter + pulse)]
            counters.append(counter)
        m.d.sync += self.counter_value.eq(Array(counters)[self.counter_select])

    def _saturations(self) -> Iterator[Value]:
        for stage in self.plan.stages:
            saturated = self.stages[stage.name].saturated
            if stage.saturates and saturated is not None:
                yield saturated


def _event(source: stream.Interface) -> Value:
    fires: Value = source.valid & source.ready & (source.payload.level != 0)
    return fires


def _probe(m: Module, name: str, source: stream.Interface) -> None:
    """A named signal `probe_<stage>` of a stage's output stream for simulation; synthesis drops it.

    `{ready, valid, end_sample, end_step, end_position, level, index}`. Ports of inner instances
    have no dependable names in the Verilog; this one has.
    """
    value = Cat(source.payload, source.valid, source.ready)
    probe = Signal(len(value), name=f"probe_{name}", attrs={"keep": 1})
    m.d.comb += probe.eq(value)
