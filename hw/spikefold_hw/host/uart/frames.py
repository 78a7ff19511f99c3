"""Frames out of a stream of bytes: stuffing taken away, and the checksum looked at."""

from collections.abc import Iterable, Iterator

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from spikefold_hw.host.uart import cobs
from spikefold_hw.host.uart.protocol import CHECK_BYTES, END, checked, unchecked
from spikefold_hw.typed import Component


class Deframer(Component):
    """Finds frames: a zero ends one, whatever came before it, and the next byte begins another.

    The checksum is computed bit by bit, so bytes must come at least 9 cycles apart; those of a wire do.

    Members
    -------
    i : In(stream(8))
        Bytes of the wire, always taken.
    o : Out(stream(8))
        Bytes of a frame, the four of its checksum with them, each in the cycle of its byte on the wire.
    ended : Out(1)
        Strobe, a cycle after the zero: a frame of at least one byte has ended.
    good : Out(1)
        In that cycle: its stuffing and its checksum are right.
    """

    i: stream.Interface
    o: stream.Interface
    ended: Signal
    good: Signal

    latency = 0
    """Cycles from a byte on the wire to the byte of a frame; from a zero to `ended` it is one more."""

    fewest_cycles = 9
    """Between two bytes."""

    def __init__(self) -> None:
        signature = stream.Signature(8, always_ready=True)
        super().__init__({"i": In(signature), "o": Out(signature), "ended": Out(1), "good": Out(1)})

    def model(self, wire: Iterable[int]) -> Iterator[bytes | None]:
        """What each frame of the wire holds, without its checksum; None for one that is damaged."""
        *frames, _ = bytes(wire).split(b"\0")
        for frame in frames:
            if frame:
                yield unchecked(cobs.decode(frame))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.crc = crc = CRC32_ISO_HDLC(1).create()
        inside, ends = Signal(), Signal()
        left = Signal(8)  # bytes until the next number
        m.d.comb += [
            ends.eq(self.i.payload == 0),
            self.o.payload.eq(Mux(left == 0, 0, self.i.payload)),
            self.o.valid.eq(self.i.valid & ~ends & inside),
        ]
        m.d.sync += [
            self.ended.eq(self.i.valid & ends & inside),
            self.good.eq((left == 0) & crc.match_detected),
        ]
        with m.If(self.i.valid):
            m.d.sync += [inside.eq(~ends), left.eq(Mux(left == 0, self.i.payload - 1, left - 1))]
            with m.If(ends):
                m.d.sync += left.eq(0)
        # A byte and a one above it, which ends it: what is shifted out are the bits of the byte.
        bits = Signal(9, init=1)
        m.d.comb += [
            crc.start.eq(~inside),
            crc.valid.eq(bits[1:].any()),
            crc.data.eq(bits[0]),
        ]
        with m.If(self.o.valid):
            m.d.sync += bits.eq(Cat(self.o.payload, Const(1, 1)))
        with m.Elif(crc.valid):
            m.d.sync += bits.eq(bits >> 1)
        return m


class Framer(Component):
    """Makes frames: stuffs bytes, each number behind what it counts, with their checksum and a zero behind.

    Parameters
    ----------
    longest
        Bytes of a frame at most, its checksum among them.

    Members
    -------
    i : In(stream(StructLayout))
        `byte`, and whether it is the `last` of its frame. A byte is taken when it has been sent.
    o : Out(stream(8))
        Bytes of the wire.
    """

    i: stream.Interface
    o: stream.Interface

    latency = 0
    """Cycles from a frame's first byte to its place on the wire."""

    def __init__(self, longest: int = cobs.LONGEST - 1) -> None:
        self._longest = longest + 1
        byte = data.StructLayout({"byte": 8, "last": 1})
        super().__init__({"i": In(stream.Signature(byte)), "o": Out(stream.Signature(8))})

    def model(self, bodies: Iterable[bytes]) -> bytes:
        """The wire for the bodies of frames."""
        return b"".join(cobs.encode_backward(checked(body)) + END for body in bodies)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.crc = crc = CRC32_ISO_HDLC(1).create()
        place, check = Signal(3), Signal(range(CHECK_BYTES))
        in_check, byte = Signal(), Signal(8)
        run = Signal(
            range(self._longest + 1), init=1
        )  # how far it is to the zero before, or to the frame's start
        # In the checksum a bit of its own is fed back, which makes its register shift and do nothing else.
        m.d.comb += [
            byte.eq(Mux(in_check, crc.crc[:8], self.i.payload.byte)),
            crc.data.eq(Mux(in_check, ~crc.crc[0], self.i.payload.byte.bit_select(place, 1))),
        ]
        with m.FSM():
            with m.State("send"):
                m.d.comb += [
                    self.o.valid.eq(self.i.valid | in_check),
                    self.o.payload.eq(Mux(byte == 0, run, byte)),
                ]
                with m.If(self.o.valid & self.o.ready):
                    m.d.sync += run.eq(Mux(byte == 0, 1, run + 1))
                    m.next = "sum"
            with m.State("sum"):
                m.d.comb += crc.valid.eq(1)
                m.d.sync += place.eq(place + 1)
                with m.If(place == 7):
                    m.d.comb += self.i.ready.eq(~in_check)
                    m.d.sync += [in_check.eq(in_check | self.i.payload.last), check.eq(check + in_check)]
                    m.next = "send"
                    with m.If(in_check & (check == CHECK_BYTES - 1)):
                        m.next = "number"
            with m.State("number"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(run)]
                with m.If(self.o.ready):
                    m.next = "end"
            with m.State("end"):
                m.d.comb += [self.o.valid.eq(1), crc.start.eq(1)]
                m.d.sync += [in_check.eq(0), run.eq(1)]
                with m.If(self.o.ready):
                    m.next = "send"
        return m
