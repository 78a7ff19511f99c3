"""LoadChain: every byte reaches its place in its memory, and none is lost, whatever the pauses."""

import pytest
from amaranth.hdl import Array, Const, Signal
from beats import moves_on, offer
from faults import Faulty
from proof import Proof
from prover import prove, refute

from spikefold_hw.parts.images import ImageSize
from spikefold_hw.parts.load import LoadChain


def load_proof(sizes, fault=None):
    """The prover picks a byte of a row of a memory: when all is full, the row must hold it."""
    images = [ImageSize(f"m{k}", *size) for k, size in enumerate(sizes)]
    chain = LoadChain(images)
    proof, dut = Proof(), Faulty(chain, fault)
    proof.m.submodules.dut = dut
    i, m = offer(proof, dut.i, "i"), proof.m
    table = _bytes(images)
    pick = proof.constant(range(len(table)), "pick")
    proof.assume(pick < len(table))
    memory, row, place, bits = (
        Array(Const(v, 8) for v in column)[pick] for column in zip(*table, strict=True)
    )
    count, byte = Signal(range(len(table) + len(images) + 2)), Signal(8, reset_less=True)
    with m.If(i.moves & ~count.all()):
        m.d.sync += count.eq(count + 1)
        with m.If(count == pick):
            m.d.sync += byte.eq(i.payload)
    # What the picked row holds: the last that was written there.
    held = Signal(max(image.width for image in images) + 8, reset_less=True)
    ports = [chain.ports[image.name] for image in images]
    for k, port in enumerate(ports):
        with m.If((memory == k) & port.enable & (port.address == row)):
            m.d.sync += held.eq(port.data)
    whole, there = count >= len(table), Signal(8)
    m.d.comb += there.eq(held >> (place << 3))
    mask = (Const(1, 9) << bits) - 1
    for name, value in (("count", count), ("full", dut.full), ("held", held), ("byte", byte)):
        proof.show(name, value)
    proof.check("a byte is where it belongs", ~dut.full | (((there ^ byte) & mask) == 0))
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


def test_a_fault_is_found():
    refute(load_proof(SIZES[1], "drops"), "a byte is where it belongs")
