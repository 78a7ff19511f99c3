"""What a host has sent: its commands, and its data in order, each frame of them whole or not at all."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from spikefold.errors import InputError
from spikefold_hw.host.uart.protocol import CHECK_BYTES, HEAD_BYTES, Command
from spikefold_hw.parts.memory import Ram
from spikefold_hw.typed import Component

LEAST_BUFFER_BITS = 8


class Inbox(Component):
    """Keeps the payload of good frames in a ring of bytes until it is taken.

    Bytes are written as they come. Where a frame turns out to be damaged, out of its turn, of no session or
    too long for what room is left, they are forgotten, and the host is told; so what leaves are the bytes of
    a session in their order, each once. A `START` forgets all of them.

    Parameters
    ----------
    buffer_bits
        Logarithm of the bytes of the ring, at least 8. The checksum of a frame takes room in it, too.

    Members
    -------
    i : In(stream(8))
        Bytes of a frame, as `Deframer` has them.
    ended, good : In(1)
        As those of `Deframer`.
    o : Out(stream(8))
        Data.
    session, mode, expected, round, consumed : Out
        As in an answer.
    address : Out(8)
        Of the latest frame, where that is a `READ`.
    started, read, reset, asked, accepted, refused : Out(1)
        Strobes: a frame was a good `START`, `READ`, `RESET`, none of all; it was data that were taken; or it
        was not taken, for whatever reason.
    damaged : Out(1)
        Strobe: it was refused since it is no good frame.
    drained : Out(1)
        Strobe: another quarter of the ring has been taken.

    Raises
    ------
    InputError
        If the ring is too small.
    """

    i: stream.Interface
    o: stream.Interface
    ended: Signal
    good: Signal
    session: Signal
    mode: Signal
    expected: Signal
    round: Signal
    consumed: Signal
    address: Signal
    started: Signal
    read: Signal
    reset: Signal
    asked: Signal
    accepted: Signal
    refused: Signal
    damaged: Signal
    drained: Signal

    def __init__(self, buffer_bits: int):
        if buffer_bits < LEAST_BUFFER_BITS:
            raise InputError(f"Buffer must hold at least 2**{LEAST_BUFFER_BITS} bytes, not 2**{buffer_bits}")
        self._bits = buffer_bits
        numbers = ("session", "expected", "round", "consumed", "address")
        strobes = ("started", "read", "reset", "asked", "accepted", "refused", "damaged", "drained")
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "ended": In(1),
                "good": In(1),
                "o": Out(stream.Signature(8)),
                "mode": Out(2),
                **{name: Out(8) for name in numbers},
                **{name: Out(1) for name in strobes},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shortest = HEAD_BYTES + CHECK_BYTES
        place = Signal(range(shortest + 1))
        code, first, second = Signal(4), Signal(8), Signal(8)
        in_payload = place >= HEAD_BYTES
        with m.If(self.ended):
            m.d.sync += place.eq(0)
        with m.Elif(self.i.valid):
            m.d.sync += place.eq(Mux(place == shortest, shortest, place + 1))
            for k, field in enumerate((code, first, second)):
                with m.If(place == k):
                    m.d.sync += field.eq(self.i.payload)
        overflow = self._ring(m, self.i.valid & in_payload)
        whole, turn = Signal(), Signal()
        m.d.comb += [
            whole.eq(self.ended & self.good & (place == shortest)),
            turn.eq((first == self.expected) & self.session.any() & ~overflow),
            self.damaged.eq(self.ended & ~whole),
            self.accepted.eq(whole & code[3] & turn),
            self.refused.eq(self.damaged | (whole & code[3] & ~turn)),
            self.started.eq(whole & (code == Command.START)),
            self.read.eq(whole & (code == Command.READ)),
            self.reset.eq(whole & (code == Command.RESET)),
            self.asked.eq(whole & (code == Command.STATUS)),
            self.address.eq(first),
        ]
        with m.If(whole & code[3]):
            m.d.sync += self.round.eq(second)
        with m.If(self.accepted):
            m.d.sync += self.expected.eq(self.expected + 1)
        with m.If(self.started):
            m.d.sync += [self.session.eq(first), self.mode.eq(second)]
        return m

    def _ring(self, m: Module, writes: Value) -> Signal:
        """The memory and its pointers; whether the frame that comes in had no room."""
        m.submodules.ring = ring = Ram(8, 1 << self._bits)
        write, read = ring.write_port(), ring.read_port()
        end, kept, taken = (Signal(self._bits, name=name) for name in ("end", "kept", "taken"))
        overflow, written, holds, fetches = Signal(), Signal(), Signal(), Signal()
        last_quarter = Signal()
        m.d.comb += [
            write.addr.eq(end),
            write.data.eq(self.i.payload),
            write.en.eq(writes & ~overflow),
            fetches.eq(~holds & (kept != taken)),
            read.addr.eq(taken),
            read.en.eq(fetches),
            self.o.valid.eq(holds),
            self.o.payload.eq(read.data),
            self.consumed.eq(taken[-8:]),
            self.drained.eq(taken[-2] ^ last_quarter),
        ]
        m.d.sync += last_quarter.eq(taken[-2])
        # A ring that is full looks like one that is empty; bytes are far apart, so that is seen afterwards.
        m.d.sync += written.eq(write.en)
        with m.If(written & (end == taken)):
            m.d.sync += overflow.eq(1)
        with m.If(write.en):
            m.d.sync += end.eq(end + 1)
        with m.If(self.ended):
            m.d.sync += [overflow.eq(0), end.eq(kept)]
        with m.If(self.accepted):
            m.d.sync += [kept.eq(end - CHECK_BYTES), end.eq(end - CHECK_BYTES)]
        with m.If(fetches):
            m.d.sync += [taken.eq(taken + 1), holds.eq(1)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += holds.eq(0)
        with m.If(self.started):
            m.d.sync += [end.eq(0), kept.eq(0), taken.eq(0), holds.eq(0)]
        return overflow
