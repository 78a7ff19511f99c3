"""The frame around the bytes that fill the memories: a head with their number, and a checksum behind them."""

import zlib

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from spikefold_hw.typed import Component

MAGIC = b"SPKF"
"""The first bytes of a frame."""

_LENGTH_BYTES, _CHECK_BYTES = 4, 4


def head(length: int) -> bytes:
    """The bytes before `length` bytes of images: `MAGIC`, then the number, least significant byte first."""
    return MAGIC + length.to_bytes(_LENGTH_BYTES, "little")


def framed(images: bytes) -> bytes:
    """What a host sends to load memories: head, images, and their CRC-32 (as zlib and Ethernet have it)."""
    return head(len(images)) + images + zlib.crc32(images).to_bytes(_CHECK_BYTES, "little")


def _found(wanted: bytes, before: int, byte: int) -> int:
    """How many of the wanted bytes, from the first on, are there with a byte behind as many as `before`."""
    there = wanted[:before] + bytes([byte])
    return max(count for count in range(len(there) + 1) if there.endswith(wanted[:count]))


class LoadFrame(Component):
    """Finds frames in a stream of bytes, and says whether what was loaded is whole.

    A frame begins with its head, wherever that stands; what is not a head is skipped. From the head on
    `waits` is set until `idle`; only then do bytes pass, so samples under way still see the memories as they
    were. After as many zero bytes as a frame has, whatever came before, a head is searched for.

    Parameters
    ----------
    length
        Bytes of all images.

    Members
    -------
    i : In(stream(8))
        Frames.
    o : Out(stream(8))
        Bytes of images.
    waits : Out(1)
        A frame has begun: no sample may begin.
    idle : In(1)
        No sample is under way, and none can begin while `waits` is set.
    restart : Out(1)
        Strobe before the first byte of an image.
    full : In(1)
        All bytes have reached their memories.
    loaded : Out(1)
        The memories hold what a whole frame brought.
    error : Out(1)
        Bytes were no frame, or a frame had another length or a wrong checksum; until the next head.
    """

    i: stream.Interface
    o: stream.Interface
    waits: Signal
    idle: Signal
    restart: Signal
    full: Signal
    loaded: Signal
    error: Signal

    def __init__(self, length: int):
        self._length = length
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8, always_ready=True)),
                "waits": Out(1),
                "idle": In(1),
                "restart": Out(1),
                "full": In(1),
                "loaded": Out(1),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.crc = crc = CRC32_ISO_HDLC(8).create()
        byte, taken = self.i.payload, self.i.valid & self.i.ready
        wanted = head(self._length)
        place, found = Signal(range(len(wanted))), Signal(range(len(wanted) + 1))
        with m.Switch(place):
            for before in range(len(wanted)):
                with m.Case(before), m.Switch(byte):
                    for each in sorted(set(wanted)):
                        with m.Case(each):
                            m.d.comb += found.eq(_found(wanted, before, each))
        left = Signal(range(self._length))
        check = Signal(range(_CHECK_BYTES))
        m.d.comb += [crc.data.eq(byte), crc.start.eq(self.restart), self.o.payload.eq(byte)]
        with m.FSM():
            with m.State("head"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken):
                    m.d.sync += place.eq(found)
                    with m.If(found == len(wanted)):
                        m.d.sync += [self.error.eq(0), self.waits.eq(1), place.eq(0)]
                        m.next = "wait"
                    with m.Elif(found != place + 1):
                        m.d.sync += self.error.eq(1)
            with m.State("wait"):
                m.d.comb += self.restart.eq(self.idle)
                m.d.sync += left.eq(self._length - 1)
                with m.If(self.idle):
                    m.d.sync += self.loaded.eq(0)
                    m.next = "images"
            with m.State("images"):
                m.d.comb += [self.i.ready.eq(1), self.o.valid.eq(self.i.valid), crc.valid.eq(taken)]
                with m.If(taken):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 0):
                        m.next = "checksum"
            with m.State("checksum"):
                m.d.comb += [self.i.ready.eq(1), crc.valid.eq(taken)]
                with m.If(taken):
                    m.d.sync += check.eq(check + 1)
                    with m.If(check == _CHECK_BYTES - 1):
                        m.next = "compare"
            with m.State("compare"), m.If(self.full):
                m.d.sync += [self.loaded.eq(crc.match_detected), self.error.eq(~crc.match_detected)]
                m.d.sync += self.waits.eq(0)
                m.next = "head"
        return m
