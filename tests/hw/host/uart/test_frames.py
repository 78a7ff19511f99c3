"""Frames on a wire: found whatever came before, told from damaged ones, and written as they are read."""

import zlib

import numpy as np
import pytest
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from stream_bench import STALLS, simulate, stream_run

from spikefold_hw.host.uart import cobs
from spikefold_hw.host.uart.frames import Deframer, Framer
from spikefold_hw.host.uart.protocol import END, Answer, Flag, Kind, checked

pytestmark = pytest.mark.usefixtures("not_elaborated")


def bodies(rng, count, longest=20):
    return [
        bytes(rng.choice([0, 0, 1, 7, 255], int(rng.integers(1, longest))).tolist()) for _ in range(count)
    ]


def damaged(rng, wire):
    """One of the things that happen to a frame."""
    wire, place = bytearray(wire), int(rng.integers(len(wire)))
    match int(rng.integers(4)):
        case 0:
            wire[place] ^= int(rng.integers(1, 256))
        case 1:
            del wire[place]
        case 2:
            wire.insert(place, int(rng.integers(256)))
        case 3:
            del wire[place:]
    return bytes(wire)


def deframed(wire, gap=9):
    """Frames that the gateware finds: bytes without checksum, None for a damaged one."""
    dut, frames, frame = Deframer(), [], bytearray()

    async def bench(ctx):
        for byte in wire:
            for cycle in range(gap):
                ctx.set(dut.i.valid, cycle == 0)
                ctx.set(dut.i.payload, byte)
                _, _, valid, value, ended, good = await ctx.tick().sample(
                    dut.o.valid, dut.o.payload, dut.ended, dut.good
                )
                assert cycle == 0 or not valid
                assert cycle == 1 or not ended
                if valid:
                    frame.append(value)
                if ended:
                    frames.append(bytes(frame[:-4]) if good else None)
                    frame.clear()

    simulate(dut, bench)
    return frames


def test_the_deframer_is_its_model():
    rng = np.random.default_rng(5)
    wire = rng.integers(0, 256, 30).astype(np.uint8).tobytes() + END + END
    for body in bodies(rng, 60):
        frame = cobs.encode(checked(body)) + END
        wire += damaged(rng, frame) if rng.random() < 0.4 else frame
    found = deframed(wire)
    assert found == list(Deframer().model(wire))
    assert found.count(None) > 10
    assert len(found) - found.count(None) > 20


def test_a_frame_is_found_after_any_garbage():
    rng = np.random.default_rng(6)
    for _ in range(20):
        garbage = rng.integers(0, 256, int(rng.integers(0, 40))).astype(np.uint8).tobytes()
        assert deframed(garbage + END + cobs.encode(checked(b"spike")) + END)[-1] == b"spike"


def test_no_damage_of_up_to_three_bits_is_taken_for_good():
    rng = np.random.default_rng(7)
    for _ in range(300):
        frame = bytearray(cobs.encode(checked(bodies(rng, 1)[0])))
        for bit in rng.choice(8 * len(frame), int(rng.integers(1, 4)), replace=False):
            frame[bit // 8] ^= 1 << bit % 8
        assert all(found is None for found in Deframer().model(bytes(frame) + END))


@pytest.mark.parametrize("stalls", STALLS)
def test_the_framer_is_its_model(stalls):
    sent = bodies(np.random.default_rng(8), 12)
    dut = Framer(30)
    beats = [{"byte": byte, "last": int(k == len(body) - 1)} for body in sent for k, byte in enumerate(body)]
    expected = dut.model(sent)
    record = stream_run(dut, beats, len(expected), stalls=stalls)
    assert bytes(record.beats) == expected


def test_answers_come_back():
    answer = Answer(Kind.RESULT, Flag.LOADED | Flag.ERROR, 7, 0, 255, 3, 0, b"\0\1")
    assert Answer.of(answer.wire[:-1]) == answer
    assert answer.has(Flag.ERROR)
    assert not answer.has(Flag.REFUSED)
    assert Answer.of(answer.wire[:-2]) is None
    assert Answer.of(b"") is None


def test_the_checksum_is_that_of_zlib():
    body = b"an integer spike"
    assert checked(body) == body + zlib.crc32(body).to_bytes(4, "little")
    assert CRC32_ISO_HDLC(8).compute(body) == zlib.crc32(body)
