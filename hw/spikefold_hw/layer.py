"""A layer: windows, lanes and neuron unit (or readout) of one population."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.profile import LayerProfile, Order
from spikefold_hw.accumulate import AccumulateCore
from spikefold_hw.drain import skip_streams
from spikefold_hw.load import Images
from spikefold_hw.neuron import NeuronUnit
from spikefold_hw.readout import Readout
from spikefold_hw.repeat import CurrentRepeater
from spikefold_hw.streams import Event, Logit, connect
from spikefold_hw.window import WindowCore, WindowMerge


class LayerCore(wiring.Component):
    """Computes one population, all of its blocks on the same lanes.

    Members
    -------
    i0, i1, .. : In(stream(Event))
        Cells of each window's source.
    skip0, skip1, .. : In(stream(Event))
        Cells of each identity projection's source.
    o : Out(stream(Event)) or Out(stream(Logit))
        Cells of this population, or the readout's logits.
    saturated : Out
        How many membranes were clipped in this cycle.
    """

    def __init__(
        self, profile: LayerProfile, steps: int, order: Order, contents: Images | None = None
    ) -> None:
        self.profile = profile
        ports = range(len(profile.windows))
        self._windows = [WindowCore(profile, port, steps, order) for port in ports]
        self._accumulate = AccumulateCore(profile, contents)
        self._repeater = CurrentRepeater(profile) if profile.repeats > 1 else None
        unit = Readout if profile.neuron is None else NeuronUnit
        self._unit = unit(profile, steps, order, contents)
        if profile.neuron is None:
            out = Logit(profile.channels, profile.widths.membrane)
        else:
            out = Event(profile.channels, profile.neuron.levels)
        super().__init__(
            {f"i{k}": In(window.i.signature.flip()) for k, window in enumerate(self._windows)}
            | skip_streams(profile)
            | {"o": Out(stream.Signature(out)), "saturated": Out(range(profile.drain + 1))}
        )

    @property
    def inputs(self) -> list[stream.Interface]:
        """The input streams: windows first, then skips, each in the order of the profile."""
        names = [f"i{k}" for k in range(len(self._windows))]
        return [
            getattr(self, name) for name in [*names, *(f"skip{k}" for k in range(len(self.profile.skips)))]
        ]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.accumulate = self._accumulate
        for k, window in enumerate(self._windows):
            m.submodules[f"window{k}"] = window
            connect(m, wiring.flipped(getattr(self, f"i{k}")), window.i)
        if len(self._windows) == 1:
            connect(m, self._windows[0].o, self._accumulate.i)
        else:
            m.submodules.merge = merge = WindowMerge(
                self.profile, [w.o.payload.shape() for w in self._windows]
            )
            for k, window in enumerate(self._windows):
                connect(m, window.o, getattr(merge, f"i{k}"))
            connect(m, merge.o, self._accumulate.i)
        sums = self._accumulate.o
        if self._repeater is not None:
            m.submodules.repeater = self._repeater
            connect(m, sums, self._repeater.i)
            sums = self._repeater.o
        self._finish(m, sums)
        return m

    def _finish(self, m: Module, sums: stream.Interface) -> None:
        unit = self._unit
        connect(m, sums, unit.i)
        for k in range(len(self.profile.skips)):
            connect(m, wiring.flipped(getattr(self, f"skip{k}")), getattr(unit, f"skip{k}"))
        connect(m, unit.o, wiring.flipped(self.o))
        if self.profile.neuron is None:
            m.submodules.readout = unit
        else:
            m.submodules.neuron = unit
            m.d.comb += self.saturated.eq(unit.saturated)
