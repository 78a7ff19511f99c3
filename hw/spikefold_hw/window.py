"""The window of a projection: from a source's cells to every block's digits; and several in turn."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.coding import digits_of
from spikefold.ir.neuron import Integers
from spikefold.ir.profile import LayerProfile, Order, ScanProfile, WindowProfile
from spikefold_hw.accumulate import digit_of
from spikefold_hw.digit_issuer import DigitIssuer
from spikefold_hw.event_buffer import EventBuffer
from spikefold_hw.line_buffer import LineBuffer
from spikefold_hw.streams import Digit, Event, connect

Issued = tuple[int, int, int, bool]
"""`(row, shift, sign, flush)`; row, shift and sign of a flush are 0."""


class Flatten(wiring.Component):
    """Turns the cells of a whole map into one: the index counts positions too.

    Members
    -------
    i : In(stream(Event))
        Cells of a map, a step at a time.
    o : Out(stream(Event))
        The same events, in the same cycle, index (row, column, channel); the last cell's mark alone is left.
    """

    def __init__(self, scan: ScanProfile):
        self._scan = scan
        super().__init__(
            {
                "i": In(stream.Signature(Event(scan.map.channels, scan.levels))),
                "o": Out(stream.Signature(Event(scan.map.size, scan.levels))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        scan = self._scan
        m = Module()
        base = Signal.like(self.o.payload.index)
        last = base == scan.map.size - scan.map.channels
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
            self.o.payload.index.eq(base + self.i.payload.index),
            self.o.payload.level.eq(self.i.payload.level),
            self.o.payload.end_position.eq(self.i.payload.end_position & last),
        ]
        with m.If(self.i.valid & self.i.ready & self.i.payload.end_position):
            m.d.sync += base.eq(Mux(last, 0, base + scan.map.channels))
        return m


def window_latency(window: WindowProfile) -> int:
    """Cycles from the handshake of the last mark that a window needs to its first tap's first digit."""
    front = LineBuffer.latency if window.scan.depth else 0
    return front + EventBuffer.latency + DigitIssuer.latency


class WindowCore(wiring.Component):
    """Everything between a source and the lanes: line buffer (where one is needed), event buffer, digits.

    Parameters
    ----------
    layer
        Shape of the layer.
    port
        Which of its windows.
    steps, order
        Time steps T, and how they run.

    Members
    -------
    i : In(stream(Event))
        Cells of the source.
    o : Out(stream(Digit))
        Digits with their weight row, and a flush after every block.
    """

    def __init__(self, layer: LayerProfile, port: int, steps: int, order: Order):
        self._layer = layer
        self._profile = profile = layer.windows[port]
        self._steps = steps
        self._order = order
        scan = profile.scan
        self._buffer = EventBuffer(profile, layer.replays(profile))
        self._issuer = DigitIssuer(layer, port, steps, order)
        self._front: LineBuffer | Flatten | None = None
        if scan.depth:
            self._front = LineBuffer(scan)
        elif scan.map.positions > 1 and scan.window.whole:
            self._front = Flatten(scan)
        first = self._front or self._buffer
        super().__init__({"i": In(first.i.signature.flip()), "o": Out(self._issuer.o.signature)})

    def model(self, levels: Integers) -> list[Issued]:
        """Everything that is issued for cells `levels` in stream order, (cells, channels); whole samples."""
        profile, scan, layer, issued = self._profile, self._profile.scan, self._layer, []
        blocks, sets = layer.blocks, profile.weight_sets
        for k, window in enumerate(self._windows(levels)):
            cell, group = divmod(k, scan.groups)
            if self._order == "innermost":
                step = cell % self._steps
            else:
                step = cell // layer.map.positions % self._steps
            for block in range(group * layer.replays(profile), (group + 1) * layer.replays(profile)):
                base = ((step if sets > 1 else 0) * blocks + block) * profile.inputs
                for index, level in window:
                    digits = digits_of(level, profile.coding)
                    issued += [(base + index, shift, sign, False) for shift, sign in digits]
                issued.append((0, 0, 0, True))
        return issued

    def _windows(self, levels: Integers) -> list[list[tuple[int, int]]]:
        scan = self._profile.scan
        if isinstance(self._front, LineBuffer):
            maps = levels.reshape(-1, scan.map.positions, scan.steps, scan.map.channels)
            return self._front.model(maps)
        cells = levels.reshape(-1, scan.inputs)
        return [[(int(k), int(cell[k])) for k in cell.nonzero()[0]] for cell in cells]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.buffer = self._buffer
        m.submodules.issuer = self._issuer
        if self._front is None:
            wiring.connect(m, wiring.flipped(self.i), self._buffer.i)
        else:
            m.submodules.front = self._front
            wiring.connect(m, wiring.flipped(self.i), self._front.i)
            connect(m, self._front.o, self._buffer.i)
        connect(m, self._buffer.o, self._issuer.i)
        wiring.connect(m, self._issuer.o, wiring.flipped(self.o))
        return m


class WindowMerge(wiring.Component):
    """Lets the windows of a layer take turns: a block gets the digits of each, then one flush.

    The flush that ends a window's turn takes a cycle.

    Members
    -------
    i0, i1, .. : In(stream(Digit))
        Digits of each window.
    o : Out(stream(Digit))
        Digits of all, each with its window.
    """

    def __init__(self, layer: LayerProfile, inputs: list[Digit]):
        self._count = len(inputs)
        ports = {f"i{k}": In(stream.Signature(digit)) for k, digit in enumerate(inputs)}
        super().__init__(ports | {"o": Out(stream.Signature(digit_of(layer)))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        turn = Signal(range(self._count))
        inputs = [getattr(self, f"i{k}") for k in range(self._count)]
        last = turn == self._count - 1
        flush, swallowed = Signal(), Signal()
        payload = self.o.payload
        valid = Array(i.valid for i in inputs)[turn]
        m.d.comb += [
            flush.eq(Array(i.payload.flush for i in inputs)[turn]),
            swallowed.eq(flush & ~last),
            self.o.valid.eq(valid & ~swallowed),
            payload.window.eq(turn),
            payload.flush.eq(flush),
        ]
        m.d.comb += [
            payload[name].eq(Array(i.payload[name] for i in inputs)[turn])
            for name in ("row", "shift", "negative")
        ]
        for k, i in enumerate(inputs):
            m.d.comb += i.ready.eq((turn == k) & (swallowed | self.o.ready))
        with m.If(valid & flush & (swallowed | self.o.ready)):
            m.d.sync += turn.eq(Mux(last, 0, turn + 1))
        return m
