"""The line buffer: keeps the last positions of a map and gathers the events under a sliding window."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.neuron import Integers
from spikefold_hw.parts.memory import Ram
from spikefold_hw.parts.pipeline import Pipeline
from spikefold_hw.streaming.window.shape import WindowShape
from spikefold_hw.streaming.window.walk import WindowWalk
from spikefold_hw.streams import Event, index_bits


class CellRecord(data.StructLayout):
    """Where the events of a cell (a position at a time step) begin, and how many each group has."""

    def __init__(self, window: WindowShape):
        count = window.channels.bit_length()
        rows = window.cells * window.map.channels
        super().__init__({"base": index_bits(rows), "counts": data.ArrayLayout(count, window.groups)})


class LineBuffer(wiring.Component):
    """Turns a map's cells into windows: for each output position, step and group one cell of events.

    A ring keeps the last `window.depth` positions. A window is gathered as soon as its last position is
    complete; taps outside the map are silent. What no later window needs is given free position by
    position.

    Parameters
    ----------
    window
        The window and what is kept; `depth` above 0.
    taps
        Whether the index of a gathered event counts its place under the kernel too: (row, column,
        channel of the group). Without, it is the channel.
    name
        What the names of its memories begin with.

    Members
    -------
    i : In(stream(Event))
        Cells of the map, indices below its channels. A position is taken whole once it was begun.
    o : Out(stream(Event))
        Windows, ended by `end_position`; the other flags are 0.
    """

    latency = 9
    """Cycles from the handshake of the last mark a window needs to the window's first tap on the output."""

    def __init__(self, window: WindowShape, taps: bool = True, name: str = ""):
        self.shape = window
        self._name = name
        self._taps = taps
        neurons = window.inputs if taps else window.map.channels
        super().__init__(
            {
                "i": In(stream.Signature(Event(window.map.channels, window.levels))),
                "o": Out(stream.Signature(Event(neurons, window.levels))),
            }
        )

    def model(self, levels: Integers) -> list[list[tuple[int, int]]]:
        """`(index, level)` of every window, for cells `levels` of whole maps.

        Levels have the shape (maps, positions, steps, channels); windows come map by map, and in it by
        output position, step and group.
        """
        window, geometry = self.shape, self.shape.geometry
        windows = []
        for cells in levels:
            for y in range(geometry.height):
                for x in range(geometry.width):
                    windows += [
                        self._gathered(cells[:, step], y, x, group)
                        for step in range(window.steps)
                        for group in range(window.groups)
                    ]
        return windows

    def _gathered(self, cells: Integers, y: int, x: int, group: int) -> list[tuple[int, int]]:
        window, found = self.shape, []
        for ky in range(window.kernel[0]):
            for kx in range(window.kernel[1]):
                row = y * window.stride[0] - window.padding[0] + ky
                column = x * window.stride[1] - window.padding[1] + kx
                if not (0 <= row < window.map.height and 0 <= column < window.map.width):
                    continue
                tap = (ky * window.kernel[1] + kx) * window.channels if self._taps else 0
                place = row * window.map.width + column
                for c in range(group * window.channels, (group + 1) * window.channels):
                    if cells[place, c]:
                        found.append((tap + c - group * window.channels, int(cells[place, c])))
        return found

    def elaborate(self, platform: object) -> Module:
        window = self.shape
        entry = data.StructLayout({"index": index_bits(window.channels), "level": window.levels.bit_length()})
        m = Module()
        cells = window.cells
        m.submodules.event_memory = events = Ram(
            entry, cells * window.map.channels, f"{self._name}_line_events"
        )
        m.submodules.cell_memory = records = Ram(CellRecord(window), cells, f"{self._name}_line_cells")
        m.submodules.fill = fill = _Fill(window)
        m.submodules.gather = gather = _Gather(window, self._taps)
        wiring.connect(m, wiring.flipped(self.i), fill.i)
        wiring.connect(m, gather.o, wiring.flipped(self.o))
        for writer, memory in ((fill.event, events), (fill.record, records)):
            write = memory.write_port()
            m.d.comb += [write.en.eq(writer.en), write.addr.eq(writer.addr), write.data.eq(writer.data)]
        for reader, memory in ((gather.event, events), (gather.record, records)):
            read = memory.read_port()
            m.d.comb += [read.en.eq(reader.en), read.addr.eq(reader.addr), reader.data.eq(read.data)]
        m.d.comb += [gather.written.eq(fill.written), fill.released.eq(gather.released)]
        return m


def _write_port(rows: int, bits: int) -> wiring.Signature:
    return wiring.Signature({"en": Out(1), "addr": Out(index_bits(rows)), "data": Out(bits)})


def _read_port(rows: int, bits: int) -> wiring.Signature:
    return wiring.Signature({"en": Out(1), "addr": Out(index_bits(rows)), "data": In(bits)})


class _Fill(wiring.Component):
    """Writes a cell's events one after another, and at its mark the cell's record."""

    def __init__(self, window: WindowShape):
        self._shape = window
        cells = window.cells
        entry = index_bits(window.channels) + window.levels.bit_length()
        super().__init__(
            {
                "i": In(stream.Signature(Event(window.map.channels, window.levels))),
                "event": Out(_write_port(cells * window.map.channels, entry)),
                "record": Out(_write_port(cells, CellRecord(window).size)),
                "written": Out(1),
                "released": In(range(window.map.positions + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        window, event = self._shape, self.i.payload
        cells, channels = window.cells, window.map.channels
        m = Module()
        cell = Signal.like(self.record.addr)
        base = Signal.like(self.event.addr)
        taken = self.i.valid & self.i.ready
        record = data.View(CellRecord(window), self.record.data)
        address, within = self._place(m, taken, base, record)
        m.d.comb += [
            self.i.ready.eq(self._room(m)),
            self.event.en.eq(taken & (event.level != 0)),
            self.event.addr.eq(address),
            self.event.data.eq(Cat(within[: index_bits(window.channels)], event.level)),
            self.written.eq(taken & event.end_position),
            self.record.en.eq(self.written),
            self.record.addr.eq(cell),
            record.base.eq(base),
        ]
        last = cell == cells - 1
        with m.If(self.written):
            m.d.sync += [cell.eq(Mux(last, 0, cell + 1)), base.eq(Mux(last, 0, base + channels))]
        return m

    def _room(self, m: Module) -> Value:
        """Whether a position may come in: `room` counts the free ones, and those given free in advance."""
        window = self._shape
        room = Signal(range(window.depth + window.map.positions + 1), init=window.depth)
        complete: Value = self.written
        if window.steps > 1:
            step = Signal(range(window.steps))
            complete = self.written & (step == window.steps - 1)
            with m.If(self.written):
                m.d.sync += step.eq(Mux(complete, 0, step + 1))
        m.d.sync += room.eq(room + self.released - complete)
        return room != 0

    def _place(self, m: Module, taken: Value, base: Signal, record: data.View) -> tuple[Value, Value]:
        """Address of an event, and its index within its group; counts the events of every group."""
        window, event = self._shape, self.i.payload
        # The group of an index below a constant bound, without a division.
        group = sum((event.index >= g * window.channels for g in range(1, window.groups)), Const(0))
        counts = [Signal(window.channels.bit_length(), name=f"count{g}") for g in range(window.groups)]
        for g, count in enumerate(counts):
            more = count + ((event.level != 0) & (group == g))
            m.d.comb += record.counts[g].eq(more)
            with m.If(taken):
                m.d.sync += count.eq(Mux(event.end_position, 0, more))
        if window.groups == 1:
            return base + counts[0], event.index
        starts = Array(
            Const(g * window.channels, index_bits(window.map.channels)) for g in range(window.groups)
        )
        return base + starts[group] + Array(counts)[group], event.index - starts[group]


class _Gather(wiring.Component):
    """Walks the windows tap by tap, and each tap's events one per cycle.

    Three stages fetch a tap's record, one hands out its events, three fetch them. All stand still while
    an event waits on the output; the first three also while a tap's events are handed out. A tap
    without events costs a cycle, and so does the setup of a window.
    """

    def __init__(self, window: WindowShape, taps: bool):
        self._shape = window
        self._taps = taps
        cells = window.cells
        entry = index_bits(window.channels) + window.levels.bit_length()
        super().__init__(
            {
                "o": Out(
                    stream.Signature(Event(window.inputs if taps else window.map.channels, window.levels))
                ),
                "event": Out(_read_port(cells * window.map.channels, entry)),
                "record": Out(_read_port(cells, CellRecord(window).size)),
                "written": In(1),
                "released": Out(range(window.map.positions + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.walk = walk = WindowWalk(self._shape)
        advance = Signal()
        shift = Signal()
        m.d.comb += [
            walk.written.eq(self.written),
            walk.shift.eq(shift),
            self.record.en.eq(shift),
            self.record.addr.eq(walk.cell),
            advance.eq(~self.o.valid | self.o.ready),
        ]
        tap = self._fetch(m, walk, shift)
        self._hand_out(m, tap, advance, shift)
        return m

    def _fetch(self, m: Module, walk: WindowWalk, shift: Signal) -> "_Tap":
        """Two stages: the memory's output, and a plain register, since block RAM is slow to answer."""
        fetched, tap = _Tap(self._shape, "fetched"), _Tap(self._shape, "tap")
        with m.If(shift):
            m.d.sync += [
                fetched.flags.eq(Cat(walk.valid, walk.inside, walk.last, walk.group)),
                fetched.offset.eq(walk.offset),
                fetched.released.eq(walk.released),
                tap.flags.eq(fetched.flags),
                tap.offset.eq(fetched.offset),
                tap.released.eq(fetched.released),
                tap.record.eq(self.record.data),
            ]
        return tap

    def _hand_out(self, m: Module, tap: "_Tap", advance: Signal, shift: Signal) -> None:
        """One stage that counts a tap's events, two for the memory's output, one for the event."""
        window = self._shape
        valid = Signal()
        last = Signal()
        ends = Signal()
        some = Signal()
        more = Signal(window.channels.bit_length())
        address = Signal.like(self.event.addr)
        offset = Signal.like(tap.offset)
        released = Signal.like(tap.released)
        starts = Array(
            Const(g * window.channels, index_bits(window.map.channels)) for g in range(window.groups)
        )
        count = Signal.like(more, name="tap_count")
        inside, group = tap.flags.inside, tap.flags.group
        m.d.comb += [
            count.eq(Mux(inside, Array(tap.record.counts[g] for g in range(window.groups))[group], 0)),
            shift.eq(advance & (~valid | ends)),
            self.event.en.eq(advance),
            self.event.addr.eq(address),
            self.released.eq(Mux(valid & ends & advance, released, 0)),
        ]
        with m.If(shift):
            m.d.sync += [
                valid.eq(tap.flags.valid),
                last.eq(tap.flags.last),
                some.eq(count != 0),
                ends.eq(~count[1:].any()),
                more.eq(count - 1),
                address.eq(tap.record.base + starts[group]),
                offset.eq(tap.offset),
                released.eq(tap.released),
            ]
        with m.Elif(advance):
            m.d.sync += [more.eq(more - 1), ends.eq(more == 1), address.eq(address + 1)]
        self._send(m, advance, valid & (some | last), some, valid & last & ends, offset)

    def _send(
        self, m: Module, advance: Signal, sent: Value, some: Value, mark: Value, offset: Signal
    ) -> None:
        index = index_bits(self._shape.channels)
        p = Pipeline(m, advance, sent)
        p.stage(event=some, mark=mark, offset=offset)
        # A plain register behind the memory, which synthesis can use the memory's own for.
        p.stage(entry=self.event.data)
        p.stage(
            index=((p.offset if self._taps else 0) + p.entry[:index])[: len(self.o.payload.index)],
            level=Mux(p.event, p.entry[index:], 0),
        )
        m.d.comb += [
            self.o.valid.eq(p.valid),
            self.o.payload.index.eq(p.index),
            self.o.payload.level.eq(p.level),
            self.o.payload.end_position.eq(p.mark),
        ]


class _Tap:
    """Registers of a tap on its way: which cell it reads, and what its end sets free."""

    def __init__(self, window: WindowShape, name: str):
        flags = data.StructLayout({"valid": 1, "inside": 1, "last": 1, "group": index_bits(window.groups)})
        self.flags = Signal(flags, name=f"{name}_flags")
        self.offset = Signal(index_bits(window.inputs), name=f"{name}_offset")
        self.released = Signal(range(window.map.positions + 1), name=f"{name}_released")
        # Not reset, so that synthesis may use the register inside the block RAM.
        self.record = Signal(CellRecord(window), name=f"{name}_record", reset_less=True)
