"""The checksum of a load, as `LoadFrame` uses it: CRC-32, and a verdict on the four bytes behind it."""

from amaranth.hdl import Mux, Signal
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from proof import Proof
from prover import prove, refute

POLYNOMIAL = 0xEDB88320
"""Of Ethernet and zlib, the lowest bit first."""

START = 0xFFFFFFFF


def crc_proof(polynomial=POLYNOMIAL):
    """Any bytes come at any pace, and it starts anew at any time."""
    proof, dut = Proof(), CRC32_ISO_HDLC(8).create()
    proof.m.submodules.dut = dut
    m, start, valid, byte = proof.m, proof.free(1, "starts"), proof.free(1, "comes"), proof.free(8, "byte")
    m.d.comb += [dut.start.eq(start), dut.valid.eq(valid), dut.data.eq(byte)]
    state, before = Signal(32, init=START), Signal(32)
    m.d.comb += before.eq(Mux(start, START, state))
    m.d.sync += state.eq(Mux(valid, _after(m, before, byte, polynomial), before))
    proof.show("crc", dut.crc)
    proof.check("it is the CRC-32 of what came", dut.crc == ~state)
    return proof


def _after(m, state, byte, polynomial):
    """The standard's: the byte's lowest bit first, a shift, and the polynomial where a 1 falls out."""
    for bit in byte:
        after = Signal(32)
        m.d.comb += after.eq((state >> 1) ^ Mux(state[0] ^ bit, polynomial, 0))
        state = after
    return state


def verdict_proof(check=4):
    """Images of four bytes, which bring the CRC to any of its values, and four more."""
    proof, dut = Proof(), CRC32_ISO_HDLC(8).create()
    proof.m.submodules.dut = dut
    m, byte = proof.m, proof.free(8, "byte")
    count, crc, last = Signal(range(10)), Signal(32), Signal(32)
    m.d.comb += [dut.valid.eq(1), dut.data.eq(byte)]
    m.d.sync += [count.eq(Mux(count == 9, 9, count + 1)), last.eq((last >> 8) | byte << 24)]
    with m.If(count == 4):
        m.d.sync += crc.eq(dut.crc)
    for name, value in (("match", dut.match_detected), ("crc", crc), ("last", last)):
        proof.show(name, value)
    proof.check(
        "it tells whether the last four are the CRC",
        (count != 4 + check) | (dut.match_detected == (last == crc)),
    )
    return proof


def test_crc():
    prove(crc_proof())


def test_the_verdict():
    """For 10 cycles, which is all there is of it."""
    prove(verdict_proof(), 10)


def test_another_polynomial_is_found():
    refute(crc_proof(POLYNOMIAL ^ 1), "it is the CRC-32")


def test_a_verdict_that_comes_too_early_is_found():
    refute(verdict_proof(check=3), "it tells whether", 10)
