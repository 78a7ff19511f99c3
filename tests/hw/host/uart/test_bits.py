"""Bytes on a wire: both ends against their models, cycle by cycle, and against each other at odd rates."""

import numpy as np
import pytest
from amaranth.hdl import Module
from stream_bench import simulate

from spikefold.errors import InputError
from spikefold_hw.host.uart.bits import Receiver, Transmitter
from spikefold_hw.host.uart.rate import BitRate

pytestmark = pytest.mark.usefixtures("not_elaborated")

RATES = [(12_000_000, 3_000_000), (50_000_000, 3_000_000), (12_000_000, 1_000_000), (25_000_000, 2_999_999)]


def received(rate, wire):
    """What the receiver takes from a wire, -1 for a byte without stop bit."""
    dut, found = Receiver(rate), []

    async def bench(ctx):
        for level in [*wire, *[1] * 8]:
            ctx.set(dut.rx, level)
            _, _, valid, byte, broken = await ctx.tick().sample(dut.o.valid, dut.o.payload, dut.broken)
            found.extend([byte] * valid + [-1] * broken)

    simulate(dut, bench)
    return found


def sent(rate, values, cycles):
    """The wire's level in each cycle from the first handshake on."""
    dut, levels, values = Transmitter(rate), [], list(values)

    async def bench(ctx):
        assert ctx.get(dut.tx) == 1
        for _ in range(cycles):
            ctx.set(dut.i.valid, bool(values))
            ctx.set(dut.i.payload, values[0] if values else 0)
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            if ready and values:
                values.pop(0)
            levels.append(ctx.get(dut.tx))

    simulate(dut, bench)
    return levels


@pytest.mark.parametrize(("clock", "baud"), RATES)
def test_the_transmitter_is_its_model(clock, baud):
    values = np.random.default_rng(baud).integers(0, 256, 6).tolist()
    expected = list(Transmitter(BitRate(clock, baud)).model(values))
    assert sent(BitRate(clock, baud), values, len(expected)) == expected


@pytest.mark.parametrize(("clock", "baud"), RATES)
def test_the_receiver_is_its_model_on_any_wire(clock, baud):
    rng, rate = np.random.default_rng(clock), BitRate(clock, baud)
    noise = np.repeat(rng.integers(0, 2, 120), rng.integers(1, 3 * int(rate.cycles), 120)).tolist()
    wire = [1] * 9 + noise + [1] * 200
    found = received(rate, wire)
    assert found == list(Receiver(rate).model(wire))
    assert -1 in found
    assert len(set(found)) > 3


@pytest.mark.parametrize(("clock", "baud", "off"), [(12e6, 3e6, 0.01), (96e6, 12e6, 0.02), (50e6, 3e6, 0.02)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_sender_may_be_somewhat_off(clock, baud, off, sign):
    rate, rng = BitRate(int(clock), int(baud)), np.random.default_rng(3)
    values = rng.integers(0, 256, 100).tolist()
    wire, now, cycles = [1] * 20, 0.0, clock / baud * (1 + sign * off)
    for value in values:
        now += rng.random()  # where in a cycle a byte begins
        for bit in (0, *(value >> k & 1 for k in range(8)), 1):
            now += cycles
            wire += [bit] * int(now - len(wire) + 20)
    wire += [1] * 50
    assert list(Receiver(rate).model(wire)) == values


def test_a_short_pulse_is_no_byte():
    rate = BitRate(12_000_000, 1_000_000)
    assert received(rate, [1] * 10 + [0] * 4 + [1] * 200) == []


def test_a_held_wire_is_one_broken_byte_and_the_next_byte_is_found():
    rate = BitRate(12_000_000, 1_000_000)
    wire = [1] * 5 + [0] * 1000 + [1] * 30 + list(Transmitter(rate).model([0x5A])) + [1] * 20
    assert received(rate, wire) == [-1, 0x5A]


@pytest.mark.parametrize("clock", [12_000_000, 25_000_000, 48_000_000, 50_000_000, 100_000_000, 200_000_000])
@pytest.mark.parametrize("baud", [1_000_000, 1_500_000, 2_000_000, 3_000_000])
def test_rates_of_boards_are_right_to_one_in_a_thousand(clock, baud):
    rate = BitRate(clock, baud)
    assert abs(rate.error) <= 0.001
    bits = 10_000
    ends = np.array([-(-k * (1 << rate.bits) // rate.step) for k in range(bits)])
    assert abs(np.diff(ends).mean() * baud / clock - 1) <= 0.0011


@pytest.mark.parametrize(("clock", "baud"), [(12_000_000, 3_000_001), (12_000_000, 0), (12_000_000, 100)])
def test_a_rate_out_of_reach_is_refused(clock, baud):
    with pytest.raises(InputError, match=r"^A bit must take 4 to 65536 cycles, so a clock of 12000000 Hz"):
        BitRate(clock, baud)


def test_both_ends_hear_each_other():
    rate = BitRate(25_000_000, 2_999_999)
    m, out, back = Module(), Transmitter(rate), Receiver(rate)
    m.submodules.out, m.submodules.back = out, back
    m.d.comb += back.rx.eq(out.tx)
    values = np.random.default_rng(1).integers(0, 256, 15).tolist()
    left, found = list(values), []

    async def bench(ctx):
        while len(found) < len(values):
            ctx.set(out.i.valid, bool(left))
            ctx.set(out.i.payload, left[0] if left else 0)
            _, _, ready, valid, byte = await ctx.tick().sample(out.i.ready, back.o.valid, back.o.payload)
            if ready and left:
                left.pop(0)
            found.extend([byte] * valid)

    simulate(m, bench)
    assert found == values
