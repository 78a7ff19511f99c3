"""A layer: window, lanes and neuron unit (or readout) of one population."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.profile import LayerProfile
from spikefold_hw.accumulate import AccumulateCore
from spikefold_hw.memory import Contents
from spikefold_hw.neuron import NeuronUnit
from spikefold_hw.readout import Readout
from spikefold_hw.streams import Event, Logit, connect
from spikefold_hw.window import DenseWindow


class LayerCore(wiring.Component):
    """Computes one population, all of its blocks on the same lanes.

    Members
    -------
    i : In(stream(Event))
        Levels of the source.
    o : Out(stream(Event)) or Out(stream(Logit))
        Levels of this population, or the readout's logits.
    saturated : Out(1)
        Strobe: a membrane was clipped.
    """

    def __init__(self, profile: LayerProfile, steps: int, contents: Contents | None = None):
        self.profile = profile
        self._steps = steps
        self._contents = contents
        (window,) = profile.windows
        if profile.neuron is None:
            out = Logit(profile.channels, profile.widths.membrane)
        else:
            out = Event(profile.channels, profile.neuron.levels)
        super().__init__(
            {
                "i": In(stream.Signature(Event(window.inputs, window.levels))),
                "o": Out(stream.Signature(out)),
                "saturated": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        profile, steps, contents = self.profile, self._steps, self._contents
        m.submodules.window = window = DenseWindow(profile.windows[0], profile.blocks, steps)
        digit = window.o.signature.members["payload"].shape
        m.submodules.accumulate = accumulate = AccumulateCore(profile, digit, contents)
        if profile.neuron is None:
            m.submodules.readout = unit = Readout(profile, steps, contents)
        else:
            m.submodules.neuron = unit = NeuronUnit(profile, steps, contents)
            m.d.comb += self.saturated.eq(unit.saturated)
        connect(m, wiring.flipped(self.i), window.i)
        connect(m, window.o, accumulate.i)
        connect(m, accumulate.o, unit.i)
        connect(m, unit.o, wiring.flipped(self.o))
        return m
