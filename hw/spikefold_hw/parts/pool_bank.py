"""A bank of a pool: running values of all channels, and whose turn it is to work on them."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from spikefold_hw.parts.memory import Ram
from spikefold_hw.streams import index_bits
from spikefold_hw.typed import Component


class PoolBank(Component):
    """A memory of running values with its output register.

    A window's events read and write it until the window is complete; then it is `scanned`: the scan reads
    one channel after the other and clears them behind it. A reset leaves it to the scan.

    Parameters
    ----------
    channels
        Rows, one for each.
    bits
        Of a value.

    Members
    -------
    mark : In(1)
        A window's mark is taken.
    complete : In(1)
        Its last event is written: the scan begins.
    read_last : In(1)
        The scan reads the last channel.
    moved_on : In(1)
        The last value has moved on: events may come again.
    full : Out(1)
        From a window's mark until its last value has moved on.
    scanned : Out(1)
        The scan's, from `complete` to `moved_on`.
    fresh : Out(1)
        There are channels to read, from `complete` to `read_last`.
    event : In
        Channel to read for an event, in every cycle in which it is not scanned.
    update, update_channel, update_value : In
        Write the value after an event.
    advance, channel : In
        Read a channel for the scan.
    wipe, wipe_channel : In
        Clear a channel for the scan.
    value : Out
        What was read, two moves later: it moves with `advance` while scanned, else in every cycle.
    """

    mark: Signal
    complete: Signal
    read_last: Signal
    moved_on: Signal
    full: Signal
    scanned: Signal
    fresh: Signal
    event: Signal
    update: Signal
    update_channel: Signal
    update_value: Signal
    advance: Signal
    channel: Signal
    wipe: Signal
    wipe_channel: Signal
    value: Signal

    def __init__(self, channels: int, bits: int, name: str = ""):
        self._name = name
        self._channels, self._bits = channels, bits
        index = index_bits(channels)
        super().__init__(
            {name: In(1) for name in ("mark", "complete", "read_last", "moved_on")}
            | {name: Out(1) for name in ("full", "scanned", "fresh")}
            | {name: In(1) for name in ("update", "advance", "wipe")}
            | {name: In(index) for name in ("event", "update_channel", "channel", "wipe_channel")}
            | {"update_value": In(bits), "value": Out(bits)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Ram(self._bits, self._channels, self._name)
        read, write = memory.read_port(), memory.write_port()
        # Not reset, so that synthesis may use the register inside the block RAM.
        value = Signal(self._bits, reset_less=True)
        m.d.comb += [
            read.addr.eq(Mux(self.scanned, self.channel, self.event)),
            read.en.eq(~self.scanned | self.advance),
            write.addr.eq(Mux(self.scanned, self.wipe_channel, self.update_channel)),
            write.data.eq(Mux(self.scanned, 0, self.update_value)),
            write.en.eq(Mux(self.scanned, self.wipe, self.update)),
            self.value.eq(value),
        ]
        with m.If(read.en):
            m.d.sync += value.eq(read.data)
        self._take_turns(m)
        return m

    def _take_turns(self, m: Module) -> None:
        # A reset leaves it to the scan, which clears it.
        full = Signal(init=1)
        scanned = Signal(init=1)
        fresh = Signal(init=1)
        m.d.comb += [self.full.eq(full), self.scanned.eq(scanned), self.fresh.eq(fresh)]
        with m.If(self.mark):
            m.d.sync += full.eq(1)
        with m.If(self.complete):
            m.d.sync += [scanned.eq(1), fresh.eq(1)]
        with m.If(self.read_last):
            m.d.sync += fresh.eq(0)
        with m.If(self.moved_on):
            m.d.sync += [full.eq(0), scanned.eq(0)]
