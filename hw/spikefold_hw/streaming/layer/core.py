"""A layer: windows, lanes and neuron unit (or readout) of one population."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold_hw.parts.drain import skip_streams
from spikefold_hw.parts.lanes import AccumulateCore
from spikefold_hw.parts.load import Images
from spikefold_hw.parts.neuron import NeuronUnit
from spikefold_hw.parts.readout import Readout
from spikefold_hw.streaming.drain.repeater import CurrentRepeater
from spikefold_hw.streaming.layer.shape import LayerShape
from spikefold_hw.streaming.window.core import ProjectionCore
from spikefold_hw.streaming.window.merge import ProjectionMerge
from spikefold_hw.streams import connect
from spikefold_hw.typed import Component


class LayerCore(Component):
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

    cleared = None

    o: stream.Interface
    saturated: Signal

    def __init__(self, layer: LayerShape, contents: Images | None = None):
        blocks, bits, drain = layer.blocks, layer.widths.accumulator, layer.drain_shape
        self._skips = skip_streams(drain)
        self._windows = [
            ProjectionCore(projection, layer.map, layer.time, blocks, f"{layer.name}_window{k}")
            for k, projection in enumerate(layer.projections)
        ]
        self._accumulate = AccumulateCore(layer.lanes_shape, contents)
        self._repeater = (
            CurrentRepeater(blocks, bits, layer.repeats, layer.name) if layer.repeats > 1 else None
        )
        self._unit = Readout(drain, contents) if layer.neuron is None else NeuronUnit(drain, contents)
        super().__init__(
            {f"i{k}": In(window.i.signature.flip()) for k, window in enumerate(self._windows)}
            | self._skips
            | {"o": Out(self._unit.o.signature), "saturated": Out(range(layer.units + 1))}
        )

    @property
    def inputs(self) -> list[stream.Interface]:
        """The input streams: windows first, then skips, each in the order of the projections."""
        names = [*(f"i{k}" for k in range(len(self._windows))), *self._skips]
        return [getattr(self, name) for name in names]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.accumulate = self._accumulate
        for k, window in enumerate(self._windows):
            m.submodules[f"window{k}"] = window
            connect(m, wiring.flipped(getattr(self, f"i{k}")), window.i)
        if len(self._windows) == 1:
            connect(m, self._windows[0].o, self._accumulate.i)
        else:
            m.submodules.merge = merge = ProjectionMerge(
                self._accumulate.i.payload.shape(), [w.o.payload.shape() for w in self._windows]
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
        m.submodules.unit = unit = self._unit
        connect(m, sums, unit.i)
        for name in self._skips:
            connect(m, wiring.flipped(getattr(self, name)), getattr(unit, name))
        connect(m, unit.o, wiring.flipped(self.o))
        if isinstance(unit, NeuronUnit):
            m.d.comb += self.saturated.eq(unit.saturated)
