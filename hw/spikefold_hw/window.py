"""The window of a dense layer: keeps a position's events and replays their digits block by block."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.coding import Coding, digits_of, shifts_of
from spikefold.ir.neuron import Integers
from spikefold.ir.profile import WindowProfile
from spikefold_hw.digits import PendingDigits, encode, lowest, without_lowest
from spikefold_hw.memory import Ram
from spikefold_hw.streams import Digit, Event, connect, index_bits


class Slot(data.StructLayout):
    """A replayed event with its digits, or with `flush` the end of a block.

    `rewind` with a flush says that the next block starts at the first weight row again.
    """

    def __init__(self, profile: WindowProfile):
        super().__init__(
            {
                "index": index_bits(profile.inputs),
                "digits": PendingDigits(profile.levels, profile.coding),
                "flush": 1,
                "rewind": 1,
            }
        )


class EventBuffer(wiring.Component):
    """Two banks of events: one is filled while the other is replayed, once per block.

    A full bank is replayed `blocks` times, for a static input that often for every time step.
    Zeros are never stored. A bank is free again when its last flush has left.

    Parameters
    ----------
    profile
        Shape of the projection.
    blocks
        Blocks of output channels.
    steps
        Time steps T.

    Members
    -------
    i : In(stream(Event))
        One position after another, each ended by a mark; at most `inputs` events a position.
    o : Out(stream(Slot))
        Every event of a position and a flush, for every block.
    """

    latency = 3
    """Cycles from the mark's handshake to the first slot on the output."""

    def __init__(self, profile: WindowProfile, blocks: int, steps: int):
        self._profile = profile
        self._blocks = blocks
        self._steps = steps
        super().__init__(
            {
                "i": In(stream.Signature(Event(profile.inputs, profile.levels))),
                "o": Out(stream.Signature(Slot(profile))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        profile, bits = self._profile, index_bits(self._profile.inputs)
        entry = data.StructLayout(
            {"index": index_bits(profile.inputs), "digits": PendingDigits(profile.levels, profile.coding)}
        )
        m = Module()
        m.submodules.event_memory = memory = Ram(entry, 2 << bits)
        # A bank is full until its last slot has left, and fresh until that has been fetched.
        full = Array(Signal(name=f"full{k}") for k in range(2))
        fresh = Array(Signal(name=f"fresh{k}") for k in range(2))
        count = Array(Signal(bits + 1, name=f"count{k}") for k in range(2))
        empty = Array(Signal(name=f"empty{k}") for k in range(2))
        self._fill(m, memory, full, fresh, count, empty)
        self._replay(m, memory, full, fresh, count, empty)
        return m

    def _fill(self, m: Module, memory: Ram, full: Array, fresh: Array, count: Array, empty: Array) -> None:
        """Write one event per cycle into the bank that is being filled."""
        profile, event = self._profile, self.i.payload
        write = memory.write_port()
        bank, fill = Signal(), Signal.like(count[0])
        stored = fill + (event.level != 0)
        taken = self.i.valid & self.i.ready
        m.d.comb += [
            self.i.ready.eq(~full[bank]),
            write.addr.eq(Cat(fill[:-1], bank)),
            write.data.eq(Cat(event.index, encode(event.level, profile.levels, profile.coding))),
            write.en.eq(taken & (event.level != 0)),
        ]
        with m.If(taken):
            m.d.sync += fill.eq(Mux(event.end_position, 0, stored))
            with m.If(event.end_position):
                m.d.sync += [bank.eq(~bank), count[bank].eq(stored), full[bank].eq(1), fresh[bank].eq(1)]
                m.d.sync += empty[bank].eq((fill == 0) & (event.level == 0))

    def _replay(self, m: Module, memory: Ram, full: Array, fresh: Array, count: Array, empty: Array) -> None:
        """Read slots: the memory's output is one stage, the output a second, since block RAM is slow."""
        read = memory.read_port()
        bank, pointer, ahead = Signal(), Signal(len(count[0]) - 1), Signal.like(count[0], init=1)
        # Whether a block ends at the pointer is compared one fetch ahead, out of the way of `ready`.
        begins, ends = Signal(init=1), Signal()
        valid, final = Signal(), Signal()
        # Not reset, so that synthesis may use the register inside the block RAM.
        slot, waiting = (Signal(Slot(self._profile), reset_less=True) for _ in range(2))
        flush, last, rewind, fetch, move = Signal(), Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            flush.eq(Mux(begins, empty[bank], ends)),
            move.eq(self.o.ready | ~self.o.valid),
            fetch.eq(fresh[bank] & (move | ~valid)),
            read.addr.eq(Cat(pointer, bank)),
            read.en.eq(fetch),
            Cat(slot.index, slot.digits).eq(read.data),
        ]
        with m.If(fetch):
            m.d.sync += [
                slot.flush.eq(flush),
                slot.rewind.eq(rewind),
                final.eq(flush & last),
                begins.eq(flush),
                ends.eq(ahead == count[bank]),
                pointer.eq(Mux(flush, 0, ahead)),
                ahead.eq(Mux(flush, 1, ahead + 1)),
            ]
            with m.If(flush & last):
                m.d.sync += [fresh[bank].eq(0), bank.eq(~bank)]
        with m.If(fetch | move):
            m.d.sync += valid.eq(fetch)
        leaves, leaving = Signal(), Signal()
        with m.If(move):
            m.d.sync += [self.o.valid.eq(valid), waiting.eq(slot), leaves.eq(final)]
        m.d.comb += self.o.payload.eq(waiting)
        with m.If(self.o.valid & self.o.ready & leaves):
            m.d.sync += [full[leaving].eq(0), leaving.eq(~leaving)]
        self._count_replays(m, fetch & flush, last, rewind)

    def _count_replays(self, m: Module, flushed: Signal, last: Signal, rewind: Signal) -> None:
        """Say which flush is a position's last, and which is the last of the weight rows."""
        profile = self._profile
        block, step = Signal(range(self._blocks)), Signal(range(self._steps))
        last_block, last_step = block == self._blocks - 1, step == self._steps - 1
        counts_steps = profile.replays > 1 or profile.weight_sets > 1
        m.d.comb += [
            last.eq(last_block & (last_step if profile.replays > 1 else 1)),
            rewind.eq(last_block & (last_step if profile.weight_sets > 1 else 1)),
        ]
        with m.If(flushed):
            m.d.sync += block.eq(Mux(last_block, 0, block + 1))
            if counts_steps:
                with m.If(last_block):
                    m.d.sync += step.eq(Mux(last_step, 0, step + 1))


class DigitIssuer(wiring.Component):
    """Takes events apart: every digit of a slot costs one cycle, a flush costs one.

    Members
    -------
    i : In(stream(Slot))
        Events and flushes.
    o : Out(stream(Digit))
        Digits with their weight row, and flushes.
    """

    latency = 1
    """Cycles from a slot's handshake to its first digit on the output."""

    def __init__(self, profile: WindowProfile, blocks: int):
        self._profile = profile
        self._rows = profile.weight_sets * blocks * profile.inputs
        super().__init__(
            {
                "i": In(stream.Signature(Slot(profile))),
                "o": Out(stream.Signature(Digit(self._rows, shifts_of(profile.levels, profile.coding)))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        profile, digit = self._profile, self.o.payload
        m = Module()
        slot, single = Signal(Slot(profile), reset_less=True), Signal()
        base = Signal(range(self._rows + profile.inputs))
        pending, arriving = slot.digits.pending, self.i.payload
        rest = without_lowest(pending, profile.coding)
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | (self.o.ready & single)),
            digit.row.eq(base + slot.index),
            digit.shift.eq(lowest(pending, profile.coding)),
            digit.flush.eq(slot.flush),
        ]
        if profile.coding == "naf":
            m.d.comb += digit.negative.eq((slot.digits.negative & pending & ~rest).any())
        with m.If(self.i.ready):
            m.d.sync += [
                slot.eq(arriving),
                single.eq(arriving.flush | _is_single(arriving.digits.pending, profile.coding)),
                self.o.valid.eq(self.i.valid),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += [pending.eq(rest), single.eq(_is_single(rest, profile.coding))]
        with m.If(self.o.valid & self.o.ready & slot.flush):
            m.d.sync += base.eq(Mux(slot.rewind, 0, base + profile.inputs))
        return m


def _is_single(pending: Value, coding: Coding) -> Value:
    return without_lowest(pending, coding) == 0


class DenseWindow(wiring.Component):
    """Event buffer and digit issuer of one projection.

    Members
    -------
    i : In(stream(Event))
        As `EventBuffer.i`.
    o : Out(stream(Digit))
        As `DigitIssuer.o`.
    """

    latency = EventBuffer.latency + DigitIssuer.latency
    """Cycles from the mark's handshake to the first digit on the output."""

    def __init__(self, profile: WindowProfile, blocks: int, steps: int):
        self._profile = profile
        self._blocks = blocks
        self._buffer = EventBuffer(profile, blocks, steps)
        self._issuer = DigitIssuer(profile, blocks)
        super().__init__({"i": In(self._buffer.i.signature.flip()), "o": Out(self._issuer.o.signature)})

    def model(self, levels: Integers) -> list[tuple[int, int, int, bool]]:
        """`(row, shift, sign, flush)` of everything issued for positions `levels`, (positions, inputs).

        Row, shift and sign of a flush are 0.
        """
        profile, issued, base = self._profile, [], 0
        rows = profile.weight_sets * self._blocks * profile.inputs
        for position in levels:
            for _ in range(profile.replays * self._blocks):
                for index in position.nonzero()[0]:
                    digits = digits_of(int(position[index]), profile.coding)
                    issued += [(base + int(index), shift, sign, False) for shift, sign in digits]
                issued.append((0, 0, 0, True))
                base = (base + profile.inputs) % rows
        return issued

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.buffer = self._buffer
        m.submodules.issuer = self._issuer
        wiring.connect(m, wiring.flipped(self.i), self._buffer.i)
        connect(m, self._buffer.o, self._issuer.i)
        wiring.connect(m, self._issuer.o, wiring.flipped(self.o))
        return m
