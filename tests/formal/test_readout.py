"""Readout: every class's logit leaves once, with the class of the largest so far, under any stalls."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Array, Cat, Mux, Signal, signed
from beats import accept, in_order, moves_on, offer
from faults import FAULTS, Faulty, fault_cases
from layer_samples import sample_layer
from memories import AnyMemories
from proof import Proof
from prover import prove, refute

from spikefold_hw.parts.readout import Readout, readout_latency
from spikefold_hw.parts.shapes import Blocks


def readout_proof(classes, reach=1, bias=1, fraction=0, fault=None):
    """A sample after another, of any sums and biases; the lowest class wins a tie."""
    weight = np.tile([-1, 1], (1, 2, 1))
    sample = sample_layer(weight, 1, levels=reach, lanes=1, bias=[[-bias, bias]], fraction=fraction)
    shape = replace(sample.drain_shape, blocks=Blocks(classes, 1, 1, 1))
    proof, dut = Proof(), Faulty(Readout(shape), fault)
    proof.m.submodules.dut = dut
    i, o = offer(proof, dut.i, "i"), accept(proof, dut.o, "o")
    m, place = proof.m, Signal(range(classes))
    biases = [proof.constant(signed(shape.widths.bias), f"bias{k}") for k in range(classes)]
    for each in biases:
        proof.assume((each >= -bias) & (each <= bias))
    total = i.payload[0].as_signed()
    proof.assume(~i.valid | ((total >= -reach) & (total <= reach)))
    logit, best = (Signal.like(dut.o.payload.logit, name=name) for name in ("logit", "best"))
    winner, index = Signal(len(dut.o.payload.index)), Signal(len(dut.o.payload.index))
    wins, won = Signal(), Signal.like(winner)
    last = place == classes - 1
    m.d.comb += [
        logit.eq((total << fraction) + Array(biases)[place]),
        wins.eq((place == 0) | (logit > best)),
        index.eq(place),
        won.eq(Mux(wins, index, winner)),
    ]
    with m.If(i.moves):
        m.d.sync += [place.eq(Mux(last, 0, place + 1)), winner.eq(won)]
        with m.If(wins):
            m.d.sync += best.eq(logit)
    expected = Cat(logit, index, won, last)
    under_way = in_order(proof, i.moves, expected, o.moves, o.bits, readout_latency(shape) + 1)
    moves_on(proof, under_way != 0, o.ready, o.moves, readout_latency(shape) + 2, "o")
    moves_on(proof, i.valid, o.ready, i.moves, 2, "i")
    return proof, AnyMemories({"layer_parameter": biases})


@pytest.mark.parametrize("classes", [1, 2])
def test_readout(classes):
    proof, platform = readout_proof(classes)
    prove(proof, platform=platform)


@pytest.mark.slow
def test_readout_of_wider_numbers():
    """For 14 cycles from any state and a reset."""
    proof, platform = readout_proof(3, 3, fraction=1)
    prove(proof, 14, platform=platform)


@pytest.mark.parametrize("fault", fault_cases())
def test_a_fault_is_found(fault):
    proof, platform = readout_proof(2, fault=fault)
    refute(proof, FAULTS[fault][2], platform=platform)
