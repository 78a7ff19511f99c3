"""Deframer: after a zero it is as after a reset, whatever came before; so it never hangs."""

import pytest
from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from proof import Proof
from prover import prove, refute

from spikefold_hw.host.uart import frames
from spikefold_hw.host.uart.frames import Deframer


class AnyChecksum(wiring.Component):
    """In place of the CRC: its ports, and any verdict. What the CRC says is proven in `test_crc.py`."""

    def __init__(self):
        super().__init__({"start": In(1), "valid": In(1), "data": In(1), "match_detected": Out(1)})

    def elaborate(self, platform):
        return Module()


@pytest.fixture
def checksums(monkeypatch):
    """What deframers hand their bytes to, in the order in which they are elaborated."""
    found = []

    class Algorithm:
        def __init__(self, width):
            assert width == 1

        def create(self):
            found.append(AnyChecksum())
            return found[-1]

    monkeypatch.setattr(frames, "CRC32_ISO_HDLC", Algorithm)
    return found


class Watched(Deframer):
    """A deframer whose checksum can be seen, and be given a verdict."""

    def __init__(self, checksums, leftover=False):
        super().__init__()
        self._checksums, self._leftover = checksums, leftover
        self.verdict, self.sums = Signal(), Signal(2)

    def elaborate(self, platform):
        m = super().elaborate(platform)
        crc = self._checksums[-1]
        m.d.comb += [crc.match_detected.eq(self.verdict), self.sums[0].eq(crc.valid)]
        m.d.comb += self.sums[1].eq(crc.valid & crc.data)
        if self._leftover:  # a fault: a zero in the place of a byte is not looked for
            m.d.sync += self.ended.eq(0)
        return m


def deframer_proof(checksums, fault=None):
    """Any bytes, as far apart as they are promised to be."""
    proof = Proof()
    m = proof.m
    m.submodules.dut = dut = Watched(checksums, fault == "deaf")
    byte, comes, verdict = proof.free(8, "byte"), proof.free(1, "comes"), proof.free(1, "verdict")
    pause, fresh, since = Signal(range(Deframer.fewest_cycles + 1)), Signal(init=1), Signal()
    apart = Deframer.fewest_cycles - (2 if fault == "hasty" else 1)
    proof.assume(~comes | (pause == 0))
    m.d.sync += pause.eq(Mux(comes, apart, Mux(pause == 0, 0, pause - 1)))
    zero = comes & (byte == 0)
    with m.If(comes):
        m.d.sync += fresh.eq(zero)
    with m.If(zero):
        m.d.sync += since.eq(1)
    # What ends with a zero is told in the cycle after it.
    ends, told = Signal(), Signal()
    m.d.sync += [ends.eq(zero & ~fresh), told.eq(since)]
    # Another one, which is held in its reset until a zero comes.
    m.submodules.anew = anew = ResetInserter(~since)(Watched(checksums))
    for each in (dut, anew):
        m.d.comb += [each.i.valid.eq(comes), each.i.payload.eq(byte), each.verdict.eq(verdict)]
    for name in ("verdict", "byte", "comes", "since"):
        proof.show(f"{name}_", {"verdict": verdict, "byte": byte, "comes": comes, "since": since}[name])
    proof.check("a frame ends with a zero that something came before", dut.ended == ends)
    proof.check("a frame is summed up when it ends", ~(zero & ~fresh) | ~dut.sums[0])
    proof.check("a zero is no byte of a frame", ~(dut.o.valid & zero))
    proof.check("a byte comes with one on the wire", ~dut.o.valid | comes)
    for name, begun, ours, theirs in (
        ("bytes", since, dut.o.valid, anew.o.valid),
        ("values", since, Mux(dut.o.valid, dut.o.payload, 0), Mux(anew.o.valid, anew.o.payload, 0)),
        ("ends", told, dut.ended, anew.ended),
        ("verdicts", told, dut.ended & dut.good, anew.ended & anew.good),
        ("sums", since, dut.sums, anew.sums),
    ):
        proof.check(f"after a zero its {name} are those of one that was reset", ~begun | (ours == theirs))
    return proof


def test_deframer(checksums):
    prove(deframer_proof(checksums), seconds=120)


@pytest.mark.parametrize(("fault", "text"), [("deaf", "a frame ends"), ("hasty", "a frame is summed up")])
def test_a_fault_is_found(fault, text, checksums):
    refute(deframer_proof(checksums, fault), text)
