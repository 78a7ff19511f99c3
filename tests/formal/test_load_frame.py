"""LoadFrame: exactly the bytes of images pass, its verdict is that of the checksum, and it never hangs."""

import pytest
from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from beats import in_order, moves_on, offer
from faults import FAULTS, Faulty
from proof import Proof
from prover import prove, refute

from spikefold_hw.parts.load_frame import LoadFrame

CHECK = 4
"""Bytes of a checksum."""


class AnyChecksum(wiring.Component):
    """In place of the CRC: its ports, and any verdict. What the CRC says is proven in `test_crc.py`."""

    def __init__(self):
        members = {"start": In(1), "valid": In(1), "data": In(8), "match_detected": Out(1)}
        super().__init__(members)

    def elaborate(self, platform):
        return Module()


@pytest.fixture
def checksum(monkeypatch):
    """What a frame's bytes are handed to."""
    found = AnyChecksum()
    found.create = lambda: found
    monkeypatch.setattr("spikefold_hw.parts.load_frame.CRC32_ISO_HDLC", lambda width: found)
    return found


def frame_proof(length, checksum, fault=None):
    """A host sends any bytes. `idle`, `full` and the verdict of the checksum are free in every cycle."""
    proof, dut = Proof(), Faulty(LoadFrame(length), fault)
    proof.m.submodules.dut = dut
    m, i = proof.m, offer(proof, dut.i, "i")
    idle, full, verdict = (proof.free(1, name) for name in ("idle_", "full_", "verdict"))
    m.d.comb += [dut.idle.eq(idle), dut.full.eq(full), checksum.match_detected.eq(verdict)]
    frame = _Frame(proof, i, length, dut, verdict)
    for name in ("idle", "full", "restart", "waits", "loaded", "error"):
        proof.show(name, getattr(dut, name))
    proof.check("it waits from a head on, to the end of its frame", dut.waits == frame.open)
    proof.check("no byte is taken before the restart", ~(i.moves & frame.open) | frame.begun)
    proof.check("it restarts once in a frame, while nothing is under way", ~dut.restart | frame.may_restart)
    proof.check("no byte follows the last", ~i.moves | (frame.count != length + CHECK))
    image = i.moves & frame.begun & (frame.count < length)
    in_order(proof, image, i.bits, dut.o.valid, dut.o.payload, most=1, name="images")
    summed = i.moves & frame.begun
    in_order(proof, summed, i.bits, checksum.valid, checksum.data, most=1, name="summed")
    proof.check("the checksum starts with the images", checksum.start == dut.restart)
    proof.check("loaded as the last whole frame was, until the next begins", dut.loaded == frame.loaded)
    proof.check("error tells of stray bytes and a wrong checksum, until a head", dut.error == frame.error)
    able = (~frame.open | frame.begun | idle) & ((frame.count != length + CHECK) | full)
    moves_on(proof, i.valid, able, i.moves, 3, "i")
    return proof, i, frame


def zeros_proof(length, checksum):
    """What a host does that does not know what came: as many zeros as a frame has bytes end any frame."""
    proof, i, frame = frame_proof(length, checksum)
    most = 8 + length + CHECK
    zeros = Signal(range(most + 1))
    with proof.m.If(i.moves):
        proof.m.d.sync += zeros.eq(Mux(i.bits != 0, 0, Mux(zeros == most, most, zeros + 1)))
    proof.check("zeros for a whole frame end any frame", (zeros != most) | ~frame.open)
    return proof


class _Frame:
    """Frames as docs/protocol.md has them, found in the last bytes that came.

    Attributes: `open`, a head has come and its frame has not ended; `begun`, its images may come; `count`,
    how many of its bytes behind the head have; `may_restart`; `loaded` and `error`, as they must be.
    """

    def __init__(self, proof, i, length, dut, verdict):
        m, head = proof.m, b"SPKF" + length.to_bytes(4, "little")
        self.open, self.begun, self.loaded, self.error = (
            Signal(name=name) for name in ("frame_open", "begun", "must_load", "must_err")
        )
        self.count = Signal(range(length + CHECK + 1), name="count")
        last = [Signal(8, name=f"last{k}") for k in range(len(head) - 1)]
        came = Signal(range(len(head) + 1))
        bytes_ = Cat(*last, i.bits)
        found, fits, ends = Signal(), Signal(), Signal()
        self.may_restart = self.open & ~self.begun & dut.idle
        m.d.comb += [
            found.eq((came >= len(head) - 1) & (bytes_ == int.from_bytes(head, "little"))),
            fits.eq(i.bits == Array(Const(each, 8) for each in (*head, head[0]))[came]),
            ends.eq(self.begun & (self.count == length + CHECK) & dut.full),
        ]
        with m.If(i.moves & ~self.open):
            m.d.sync += [each.eq(after) for each, after in zip(last, [*last[1:], i.bits], strict=True)]
            m.d.sync += came.eq(Mux(came == len(head), came, came + 1))
            m.d.sync += [
                self.open.eq(found),
                self.error.eq(~found & (self.error | ~fits | (came == len(head)))),
            ]
        with m.If(dut.restart):
            m.d.sync += [self.begun.eq(1), self.loaded.eq(0)]
        with m.If(self.begun & i.moves):
            m.d.sync += self.count.eq(self.count + 1)
        with m.If(ends):
            m.d.sync += [self.open.eq(0), self.begun.eq(0), self.count.eq(0), came.eq(0)]
            m.d.sync += [self.loaded.eq(verdict), self.error.eq(~verdict)]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_load_frame(length, checksum):
    prove(frame_proof(length, checksum)[0])


def test_zeros_end_any_frame(checksum):
    prove(zeros_proof(1, checksum))


@pytest.mark.parametrize(
    "length", [ord("S"), int.from_bytes(b"SP", "little"), int.from_bytes(b"SPKF", "little")]
)
def test_a_head_that_holds_its_own_first_bytes_is_found(length, checksum):
    """The first one, however many pieces of it come before."""
    proof, _, _ = frame_proof(length, checksum)
    proof.assume(~checksum.start)
    prove(proof)


@pytest.mark.parametrize(
    ("constant", "broken"),
    [
        ("MAGIC", b"SPKG"),
        ("_CHECK_BYTES", 3),
        ("_found", lambda wanted, before, byte: wanted[before] == byte),
    ],
)
def test_a_broken_search_or_end_is_found(constant, broken, checksum, monkeypatch):
    monkeypatch.setattr(f"spikefold_hw.parts.load_frame.{constant}", broken)
    refute(frame_proof(2, checksum)[0])


@pytest.mark.parametrize("fault", ["loses", "changes", "deaf"])
def test_a_fault_is_found(fault, checksum):
    refute(frame_proof(2, checksum, fault)[0], FAULTS[fault][2])
