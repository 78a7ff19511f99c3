"""The top: every stage of a network, all working at once, and its counters."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.stages import INPUT
from spikefold_hw.fork import Fork
from spikefold_hw.parts.admission import Admission, PlainInput
from spikefold_hw.parts.counters import Counters
from spikefold_hw.parts.input_check import InputCheck
from spikefold_hw.parts.input_rules import CAUSES
from spikefold_hw.parts.ledger import Ledger
from spikefold_hw.parts.load import LoadChain
from spikefold_hw.parts.load_frame import LoadFrame
from spikefold_hw.parts.memory import Contents
from spikefold_hw.streaming.outside import counters_of, samples_under_way
from spikefold_hw.streaming.plan import Plan
from spikefold_hw.streams import Logit, connect
from spikefold_hw.typed import Component, Stream


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
    the part before.

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
        One beat per class; on the last, `winner` is the class. With `Plan.checks` each has `error`, set if
        the sample was broken, and with `Plan.tag_bits` the sample's `tag`.
    stages : dict
        Layers, pools and sums by name.
    counter_select : In
        Which counter to read, an index into `counters_of`.
    counter_value : Out
        Its value one cycle later.
    load : In(stream(8))
        With `Plan.loaded`: the bytes of all memory images in a frame, see `LoadFrame`.
    loaded, load_error : Out(1)
        With `Plan.loaded`: as `LoadFrame` says; no sample begins unless the memories are loaded.
    """

    counter_select: Signal
    counter_value: Signal
    i: stream.Interface
    load: stream.Interface
    loaded: Signal
    load_error: Signal
    o: stream.Interface

    def __init__(self, plan: Plan, contents: Contents | None = None):
        self.plan = plan
        sizes = [size for stage in plan.stages for size in stage.image_sizes()]
        self._chain = LoadChain(sizes) if plan.loaded else None
        images = self._chain or contents
        self.stages = {stage.name: stage.core(images) for stage in plan.stages}
        self.admission = _admission(plan)
        self._counters = Counters(counters_of(plan))
        readout, ticket = plan.readout, self.admission.layout
        members = {
            "i": In(self.admission.i.signature.flip()),
            "o": Out(stream.Signature(Logit(readout.channels, readout.widths.membrane, ticket))),
            "counter_select": In(len(self._counters.select)),
            "counter_value": Out(len(self._counters.value)),
        }
        if plan.loaded:
            members |= {"load": In(stream.Signature(8)), "loaded": Out(1), "load_error": Out(1)}
        super().__init__(members)

    @property
    def streams(self) -> dict[str, stream.Interface]:
        """Event streams between stages by the name of their stage."""
        return {name: stage.o for name, stage in list(self.stages.items())[:-1]}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, stage in self.stages.items():
            m.submodules[name] = stage
        self._admit(m)
        sources = {INPUT: self.admission.o, **self.streams}
        for name, places in readers(self.plan).items():
            self._join(m, name, sources[name], [self.stages[stage].inputs[port] for stage, port in places])
        for name, source in self.streams.items():
            _probe(m, name, source)
        self._count(m)
        return m

    def _admit(self, m: Module) -> None:
        """Samples come in while nothing holds them back, and leave with their tickets."""
        m.submodules.admission = admission = self.admission
        m.submodules.ledger = ledger = Ledger(admission.layout, samples_under_way(self.plan))
        connect(m, wiring.flipped(self.i), admission.i)
        waits = [core.cleared for core in self.stages.values() if core.cleared is not None]
        holds: list[Value] = [ledger.full]
        hold = Signal(init=bool(waits or self._chain))
        if self._chain is not None:
            loaded, begun = self._load(m, self._chain, hold & ~admission.open & ~ledger.some)
            waits.append(loaded)
            holds.append(begun)
        m.d.sync += hold.eq(Cat(holds).any() | ~Cat(waits).all())
        result = list(self.stages.values())[-1].o
        ends = self.o.valid & self.o.ready & self.o.payload.last
        m.d.comb += [
            admission.hold.eq(hold),
            ledger.push.eq(admission.ended),
            ledger.pop.eq(ends),
            self.o.valid.eq(result.valid),
            result.ready.eq(self.o.ready),
        ]
        fields = {name: result.payload[name] for name in result.payload.shape().members}
        if admission.layout.size:
            m.d.comb += Value.cast(ledger.i).eq(Value.cast(admission.ticket))
            fields |= {name: ledger.o[name] for name in admission.layout.members}
        m.d.comb += [self.o.payload[name].eq(value) for name, value in fields.items()]

    def _load(self, m: Module, chain: LoadChain, idle: Value) -> tuple[Value, Value]:
        """Fill the memories; returns whether they are, and whether bytes for them have begun to come."""
        m.submodules.load_chain = chain
        m.submodules.load_frame = frame = LoadFrame(chain.length)
        connect(m, wiring.flipped(self.load), frame.i)
        connect(m, frame.o, chain.i)
        m.d.comb += [
            frame.idle.eq(idle),
            frame.full.eq(chain.full),
            chain.restart.eq(frame.restart),
            self.loaded.eq(frame.loaded),
            self.load_error.eq(frame.error),
        ]
        return frame.loaded, frame.waits

    def _join(self, m: Module, name: str, source: Stream, targets: Sequence[stream.Interface]) -> None:
        if len(targets) == 1:
            connect(m, source, targets[0])
            return
        m.submodules[f"fork_{name}"] = fork = Fork(stream.Signature(source.payload.shape()), len(targets))
        connect(m, source, fork.i)
        for k, target in enumerate(targets):
            connect(m, getattr(fork, f"o{k}"), target)

    def _count(self, m: Module) -> None:
        m.submodules.counters = counters = self._counters
        m.d.comb += [counters.select.eq(self.counter_select), self.counter_value.eq(counters.value)]
        started = Signal()
        m.d.sync += started.eq(started | (self.i.valid & self.i.ready))
        strobes: dict[str, Value] = {
            "cycles": started,
            "samples": self.o.valid & self.o.ready & self.o.payload.last,
        }
        sources = {INPUT: self.admission.o, **self.streams}
        strobes |= {f"events_{name}": _event(source) for name, source in sources.items()}
        for stage in self.plan.stages:
            saturated = self.stages[stage.name].saturated
            if stage.saturates and saturated is not None:
                strobes[f"saturations_{stage.name}"] = saturated
        if isinstance(self.admission, InputCheck):
            strobes["violations"] = self.admission.violations
            strobes |= {f"violations_{c}": v for c, v in zip(CAUSES, self.admission.violations, strict=True)}
        m.d.comb += [counters.strobe(name).eq(strobe) for name, strobe in strobes.items()]


def _admission(plan: Plan) -> Admission:
    kind = InputCheck if plan.checks else PlainInput
    return kind(plan.input, plan.tag_bits)


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
