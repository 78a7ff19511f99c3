"""LoadChain: every byte reaches its place in its memory, in every load, whatever the pauses."""

import pytest
from amaranth.hdl import Array, Const, Signal
from beats import moves_on
from proof import Proof
from prover import prove, refute

from spikefold_hw.parts.images import ImageSize
from spikefold_hw.parts.load import LoadChain


def load_proof(sizes, lost=-1):
    """The prover picks a byte of a row of a memory: when all is full, the row must hold it.

    A load may follow another. No byte comes after the last of a load, as `LoadFrame` sees to it.
    """
    images = [ImageSize(f"m{k}", *size) for k, size in enumerate(sizes)]
    chain = LoadChain(images)
    proof, dut = Proof(), chain
    proof.m.submodules.dut = dut
    m, valid, byte_in = proof.m, proof.free(1, "comes"), proof.free(8, "beat")
    restart = proof.free(1, "restarts")
    m.d.comb += [dut.i.payload.eq(byte_in), dut.restart.eq(restart)]
    table = _bytes(images)
    pick = proof.constant(range(len(table)), "pick")
    proof.assume(pick < len(table))
    memory, row, place, bits = (
        Array(Const(v, 8) for v in column)[pick] for column in zip(*table, strict=True)
    )
    count, byte = Signal(range(len(table) + 1)), Signal(8, reset_less=True)
    whole, there = count == len(table), Signal(8)
    m.d.comb += dut.i.valid.eq(valid & (count != lost))
    proof.assume(~restart | (~valid & ((count == 0) | dut.full)))
    proof.assume(~(valid & whole))
    with m.If(restart):
        m.d.sync += count.eq(0)
    with m.Elif(valid):
        m.d.sync += count.eq(count + 1)
        with m.If(count == pick):
            m.d.sync += byte.eq(byte_in)
    # What the picked row holds: the last that was written there.
    held = Signal(max(image.width for image in images) + 8, reset_less=True)
    ports = [chain.ports[image.name] for image in images]
    for k, port in enumerate(ports):
        with m.If((memory == k) & port.enable & (port.address == row)):
            m.d.sync += held.eq(port.data)
    m.d.comb += there.eq(held >> (place << 3))
    mask = (Const(1, 9) << bits) - 1
    for name, value in (("count", count), ("full", dut.full), ("held", held), ("byte", byte)):
        proof.show(name, value)
    proof.check("a byte is where it belongs", ~dut.full | ~whole | (((there ^ byte) & mask) == 0))
    proof.check("nothing is full before all bytes came", ~dut.full | whole)
    moves_on(proof, whole & ~dut.full, Const(1), dut.full, len(images) + 2, "full")
    return proof


def _bytes(images):
    """Memory, row, place in the row and bits that count, of every byte as it comes."""
    return [
        (k, row, place, min(8, image.width - 8 * place))
        for k, image in enumerate(images)
        for row in range(image.depth)
        for place in range(-(-image.width // 8))
    ]


SIZES = [
    [(3, 2)],
    [(9, 2)],
    [(8, 1), (8, 1), (2, 1)],
    [(4, 1), (12, 2), (4, 1)],
    [(17, 1), (1, 3)],
]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_load_chain(sizes):
    prove(load_proof(sizes))


def test_a_lost_byte_is_found():
    refute(load_proof(SIZES[1], lost=1))
