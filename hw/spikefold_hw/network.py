"""The top: every layer of a network, all working at once, and its counters."""

from amaranth.hdl import Array, Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.profile import LayerProfile, Profile
from spikefold_hw.layer import LayerCore
from spikefold_hw.memory import Contents
from spikefold_hw.streams import Event, Logit, connect, index_bits

COUNTER_BITS = 32


def counter_names(profile: Profile) -> tuple[str, ...]:
    """Names of the counters, in the order of `counter_select`."""
    names = ["cycles", "samples", "events_input"]
    names += [f"events_{layer.name}" for layer in profile.layers if layer.neuron is not None]
    names += [f"saturations_{layer.name}" for layer in profile.layers if _saturates(layer)]
    return tuple(names)


def _saturates(layer: LayerProfile) -> bool:
    return layer.neuron is not None and layer.neuron.membrane_bits is not None


class NetworkTop(wiring.Component):
    """A whole network from input events to logits.

    Samples stream through back to back: a layer works on one sample while the next layer works on
    the one before. Bare marks are not counted as events.

    Parameters
    ----------
    profile
        The hardware profile; the Verilog depends on nothing else.
    contents
        Memory images, for simulation in Amaranth.

    Members
    -------
    i : In(stream(Event))
        Input levels: one position per sample if the input is static, else one per time step.
    o : Out(stream(Logit))
        One beat per class; on the last, `winner` is the class.
    layers : dict[str, LayerCore]
        The layers by name.
    counter_select : In
        Which counter to read, an index into `counter_names`.
    counter_value : Out
        Its value one cycle later, modulo 2^32. `cycles` runs from the first input beat on.
    """

    def __init__(self, profile: Profile, contents: Contents | None = None):
        self.profile = profile
        self.layers = {layer.name: LayerCore(layer, profile.steps, contents) for layer in profile.layers}
        readout = profile.layers[-1]
        super().__init__(
            {
                "i": In(stream.Signature(Event(profile.input_size, profile.input_levels))),
                "o": Out(stream.Signature(Logit(readout.channels, readout.widths.membrane))),
                "counter_select": In(index_bits(len(counter_names(profile)))),
                "counter_value": Out(COUNTER_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        source = wiring.flipped(self.i)
        for name, layer in self.layers.items():
            m.submodules[name] = layer
            connect(m, source, layer.i)
            source = layer.o
        connect(m, source, wiring.flipped(self.o))
        layers = list(self.layers.values())
        for layer in layers[:-1]:
            _probe(m, layer)
        self._count(m, layers)
        return m

    def _count(self, m: Module, layers: list[LayerCore]) -> None:
        started = Signal()
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += started.eq(1)
        strobes: list[Value] = [started, self.o.valid & self.o.ready & self.o.payload.last]
        strobes += [_event(self.i), *(_event(layer.o) for layer in layers[:-1])]
        strobes += [layer.saturated for layer in layers if _saturates(layer.profile)]
        counters = []
        for name, strobe in zip(counter_names(self.profile), strobes, strict=True):
            counter, pulse = Signal(COUNTER_BITS, name=name), Signal(name=f"count_{name}")
            m.d.sync += [pulse.eq(strobe), counter.eq(counter + pulse)]
            counters.append(counter)
        m.d.sync += self.counter_value.eq(Array(counters)[self.counter_select])


def _event(source: stream.Interface) -> Value:
    return source.valid & source.ready & (source.payload.level != 0)


def _probe(m: Module, layer: LayerCore) -> None:
    """A named signal `probe_<layer>` of a layer's output stream for simulation; synthesis drops it.

    `{ready, valid, end_sample, end_step, end_position, level, index}`. Ports of inner instances
    have no dependable names in the Verilog; this one has.
    """
    value = Cat(layer.o.payload, layer.o.valid, layer.o.ready)
    probe = Signal(len(value), name=f"probe_{layer.profile.name}")
    m.d.comb += probe.eq(value)
