"""The line buffer: keeps the last positions of a map and gathers the events under a sliding window."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.neuron import Integers
from spikefold.ir.profile import ScanProfile
from spikefold_hw.memory import Ram
from spikefold_hw.pipeline import Pipeline
from spikefold_hw.streams import Event, index_bits
from spikefold_hw.window_walk import WindowWalk


class CellRecord(data.StructLayout):
    """Where the events of a cell (a position at a time step) begin, and how many each group has."""

    def __init__(self, scan: ScanProfile):
        count = scan.channels.bit_length()
        rows = scan.depth * scan.steps * scan.map.channels
        super().__init__({"base": index_bits(rows), "counts": data.ArrayLayout(count, scan.groups)})


class LineBuffer(wiring.Component):
    """Turns a map's cells into windows: for each output position, step and group one cell of events.

    A ring keeps the last `scan.depth` positions. A window is gathered as soon as its last position is
    complete; taps outside the map are silent. What no later window needs is given free position by
    position.

    Parameters
    ----------
    scan
        The window and what is kept; `depth` above 0.
    taps
        Whether the index of a gathered event counts its place under the kernel too: (row, column,
        channel of the group). Without, it is the channel.

    Members
    -------
    i : In(stream(Event))
        Cells of the map, indices below its channels. A position is taken whole once it was begun.
    o : Out(stream(Event))
        Windows, ended by `end_position`; the other flags are 0.
    """

    latency = 9
    """Cycles from the handshake of the last mark a window needs to the window's first tap on the output."""

    def __init__(self, scan: ScanProfile, taps: bool = True):
        self.scan = scan
        self._taps = taps
        neurons = scan.inputs if taps else scan.map.channels
        super().__init__(
            {
                "i": In(stream.Signature(Event(scan.map.channels, scan.levels))),
                "o": Out(stream.Signature(Event(neurons, scan.levels))),
            }
        )

    def model(self, levels: Integers) -> list[list[tuple[int, int]]]:
        """`(index, level)` of every window, for cells `levels` of whole maps.

        Levels have the shape (maps, positions, steps, channels); windows come map by map, and in it by
        output position, step and group.
        """
        scan, window = self.scan, self.scan.window
        windows = []
        for cells in levels:
            for y in range(window.height):
                for x in range(window.width):
                    windows += [
                        self._gathered(cells[:, step], y, x, group)
                        for step in range(scan.steps)
                        for group in range(scan.groups)
                    ]
        return windows

    def _gathered(self, cells: Integers, y: int, x: int, group: int) -> list[tuple[int, int]]:
        scan, found = self.scan, []
        for ky in range(scan.kernel[0]):
            for kx in range(scan.kernel[1]):
                row = y * scan.stride[0] - scan.padding[0] + ky
                column = x * scan.stride[1] - scan.padding[1] + kx
                if not (0 <= row < scan.map.height and 0 <= column < scan.map.width):
                    continue
                tap = (ky * scan.kernel[1] + kx) * scan.channels if self._taps else 0
                place = row * scan.map.width + column
                for c in range(group * scan.channels, (group + 1) * scan.channels):
                    if cells[place, c]:
                        found.append((tap + c - group * scan.channels, int(cells[place, c])))
        return found

    def elaborate(self, platform: object) -> Module:
        scan = self.scan
        entry = data.StructLayout({"index": index_bits(scan.channels), "level": scan.levels.bit_length()})
        m = Module()
        cells = scan.depth * scan.steps
        m.submodules.event_memory = events = Ram(entry, cells * scan.map.channels)
        m.submodules.cell_memory = records = Ram(CellRecord(scan), cells)
        m.submodules.fill = fill = _Fill(scan)
        m.submodules.gather = gather = _Gather(scan, self._taps)
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

    def __init__(self, scan: ScanProfile):
        self._scan = scan
        cells = scan.depth * scan.steps
        entry = index_bits(scan.channels) + scan.levels.bit_length()
        super().__init__(
            {
                "i": In(stream.Signature(Event(scan.map.channels, scan.levels))),
                "event": Out(_write_port(cells * scan.map.channels, entry)),
                "record": Out(_write_port(cells, CellRecord(scan).size)),
                "written": Out(1),
                "released": In(range(scan.map.positions + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        scan, event = self._scan, self.i.payload
        cells, channels = scan.depth * scan.steps, scan.map.channels
        m = Module()
        cell, base = Signal.like(self.record.addr), Signal.like(self.event.addr)
        taken = self.i.valid & self.i.ready
        record = data.View(CellRecord(scan), self.record.data)
        address, within = self._place(m, taken, base, record)
        m.d.comb += [
            self.i.ready.eq(self._room(m)),
            self.event.en.eq(taken & (event.level != 0)),
            self.event.addr.eq(address),
            self.event.data.eq(Cat(within[: index_bits(scan.channels)], event.level)),
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
        scan = self._scan
        room = Signal(range(scan.depth + scan.map.positions + 1), init=scan.depth)
        complete: Value = self.written
        if scan.steps > 1:
            step = Signal(range(scan.steps))
            complete = self.written & (step == scan.steps - 1)
            with m.If(self.written):
                m.d.sync += step.eq(Mux(complete, 0, step + 1))
        m.d.sync += room.eq(room + self.released - complete)
        return room != 0

    def _place(self, m: Module, taken: Value, base: Signal, record: data.View) -> tuple[Value, Value]:
        """Address of an event, and its index within its group; counts the events of every group."""
        scan, event = self._scan, self.i.payload
        # The group of an index below a constant bound, without a division.
        group = sum((event.index >= g * scan.channels for g in range(1, scan.groups)), Const(0))
        counts = [Signal(scan.channels.bit_length(), name=f"count{g}") for g in range(scan.groups)]
        for g, count in enumerate(counts):
            more = count + ((event.level != 0) & (group == g))
            m.d.comb += record.counts[g].eq(more)
            with m.If(taken):
                m.d.sync += count.eq(Mux(event.end_position, 0, more))
        if scan.groups == 1:
            return base + counts[0], event.index
        starts = Array(Const(g * scan.channels, index_bits(scan.map.channels)) for g in range(scan.groups))
        return base + starts[group] + Array(counts)[group], event.index - starts[group]


class _Gather(wiring.Component):
    """Walks the windows tap by tap, and each tap's events one per cycle.

    Three stages fetch a tap's record, one hands out its events, three fetch them. All stand still while
    an event waits on the output; the first three also while a tap's events are handed out. A tap
    without events costs a cycle, and so does the setup of a window.
    """

    def __init__(self, scan: ScanProfile, taps: bool):
        self._scan = scan
        self._taps = taps
        cells = scan.depth * scan.steps
        entry = index_bits(scan.channels) + scan.levels.bit_length()
        super().__init__(
            {
                "o": Out(stream.Signature(Event(scan.inputs if taps else scan.map.channels, scan.levels))),
                "event": Out(_read_port(cells * scan.map.channels, entry)),
                "record": Out(_read_port(cells, CellRecord(scan).size)),
                "written": In(1),
                "released": Out(range(scan.map.positions + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.walk = walk = WindowWalk(self._scan)
        advance, shift = Signal(), Signal()
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
        fetched, tap = _Tap(self._scan, "fetched"), _Tap(self._scan, "tap")
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
        scan = self._scan
        valid, last, ends, some = Signal(), Signal(), Signal(), Signal()
        more, address = Signal(scan.channels.bit_length()), Signal.like(self.event.addr)
        offset, released = Signal.like(tap.offset), Signal.like(tap.released)
        starts = Array(Const(g * scan.channels, index_bits(scan.map.channels)) for g in range(scan.groups))
        count = Signal.like(more, name="tap_count")
        inside, group = tap.flags.inside, tap.flags.group
        m.d.comb += [
            count.eq(Mux(inside, Array(tap.record.counts[g] for g in range(scan.groups))[group], 0)),
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
        index = index_bits(self._scan.channels)
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

    def __init__(self, scan: ScanProfile, name: str):
        flags = data.StructLayout({"valid": 1, "inside": 1, "last": 1, "group": index_bits(scan.groups)})
        self.flags = Signal(flags, name=f"{name}_flags")
        self.offset = Signal(index_bits(scan.inputs), name=f"{name}_offset")
        self.released = Signal(range(scan.map.positions + 1), name=f"{name}_released")
        # Not reset, so that synthesis may use the register inside the block RAM.
        self.record = Signal(CellRecord(scan), name=f"{name}_record", reset_less=True)
