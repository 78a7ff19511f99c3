"""LoadFrame: only whole frames count, and whatever came before, the next but one frame is found."""

import zlib

import numpy as np
import pytest
from stream_bench import simulate

from spikefold_hw.parts.load_frame import MAGIC, LoadFrame, framed, head

LENGTH = 37


class Host:
    """Sends bytes to a frame finder whose memories are full a while after the last byte."""

    def __init__(self, ctx, dut, pause=0.0, seed=0):
        self.ctx, self.dut, self.pause = ctx, dut, pause
        self.rng = np.random.default_rng(seed)
        self.got = bytearray()
        self.loads = 0
        self.since_last = 0
        ctx.set(dut.full, 0)
        ctx.set(dut.idle, 1)

    async def send(self, data, patience=2000):
        sent = cycles = 0
        while sent < len(data):
            offer = self.rng.random() >= self.pause
            self.ctx.set(self.dut.i.payload, data[sent] if offer else int(self.rng.integers(256)))
            self.ctx.set(self.dut.i.valid, offer)
            sent += await self.tick() and offer
            cycles += 1
            assert cycles < patience + 10 * len(data), "stuck"
        self.ctx.set(self.dut.i.valid, 0)

    async def tick(self):
        ctx, dut = self.ctx, self.dut
        ready, restart = ctx.get(dut.i.ready), ctx.get(dut.restart)
        passes, byte = ctx.get(dut.o.valid), ctx.get(dut.o.payload)
        await ctx.tick()
        if restart:
            self.loads += 1
            self.got.clear()
            ctx.set(dut.full, 0)
        if passes:
            self.got.append(byte)
            self.since_last = 0
        self.since_last += 1
        if len(self.got) == LENGTH and self.since_last > 6:
            ctx.set(dut.full, 1)
        return ready

    async def settle(self):
        for _ in range(12):
            await self.tick()
        return self.ctx.get(self.dut.loaded), self.ctx.get(self.dut.error)


def play(scenario, **options):
    dut = LoadFrame(LENGTH)

    async def bench(ctx):
        await scenario(Host(ctx, dut, **options))

    simulate(dut, bench)


def images(seed):
    return np.random.default_rng(seed).integers(0, 256, LENGTH, np.uint8).tobytes()


def test_a_frame_is_head_images_and_checksum():
    data = images(0)
    assert framed(data) == b"SPKF" + bytes([LENGTH, 0, 0, 0]) + data + zlib.crc32(data).to_bytes(4, "little")
    assert len(set(MAGIC)) == len(MAGIC)


@pytest.mark.parametrize("pause", [0.0, 0.6])
def test_frames_are_loaded_one_after_another(pause):
    async def scenario(host):
        assert not host.ctx.get(host.dut.loaded)
        for k in range(3):
            await host.send(framed(images(k)))
            assert await host.settle() == (1, 0)
            assert (host.got, host.loads) == (images(k), k + 1)

    play(scenario, pause=pause)


@pytest.mark.parametrize("place", [8, 8 + LENGTH // 2, 8 + LENGTH - 1, 8 + LENGTH, 8 + LENGTH + 3])
@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_is_an_error(place, bit):
    async def scenario(host):
        await host.send(framed(images(1)))
        bad = bytearray(framed(images(2)))
        bad[place] ^= 1 << bit
        await host.send(bad)
        assert await host.settle() == (0, 1)
        await host.send(framed(images(3)))
        assert await host.settle() == (1, 0)
        assert host.got == images(3)

    play(scenario)


@pytest.mark.parametrize("place", range(8))
def test_a_wrong_head_changes_nothing(place):
    """Neither the memories nor that they are loaded; `error` tells of it."""

    async def scenario(host):
        await host.send(framed(images(1)))
        await host.settle()
        bad = bytearray(head(LENGTH))
        bad[place] ^= 4
        await host.send(bad)
        assert await host.settle() == (1, 1)
        assert (host.got, host.loads) == (images(1), 1)
        await host.send(framed(images(2)))
        assert await host.settle() == (1, 0)
        assert host.got == images(2)

    play(scenario)


@pytest.mark.parametrize("seed", range(20))
def test_after_garbage_the_next_but_one_frame_is_found(seed):
    """Lost and extra bytes, pieces of frames, noise."""
    rng = np.random.default_rng(seed)
    frame = framed(images(seed))
    pieces = [
        frame[: rng.integers(len(frame))],
        frame[rng.integers(len(frame)) :],
        rng.bytes(int(rng.integers(30))),
        MAGIC[: rng.integers(4)],
        MAGIC,
    ]
    garbage = b"".join(pieces[k] for k in rng.integers(len(pieces), size=4))

    async def scenario(host):
        await host.send(garbage)
        for _ in range(3):
            await host.send(frame)
        assert await host.settle() == (1, 0)
        assert host.got == images(seed)

    play(scenario, pause=0.2 * (seed % 2), seed=seed)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_frame_behind_a_piece_of_a_head_is_found(count):
    async def scenario(host):
        await host.send(MAGIC[:count] + framed(images(1)))
        assert await host.settle() == (1, 0)

    play(scenario)


def test_zeros_bring_back_a_host_whose_images_hold_a_head():
    """Without them each frame is lost in the one before, which seems to begin within its images."""
    data = images(1)[:10] + head(LENGTH) + images(2)[18:]

    async def scenario(host):
        await host.send(framed(data)[1:])
        for _ in range(3):
            await host.send(framed(data))
        assert (await host.settle())[0] == 0
        await host.send(bytes(len(framed(data))) + framed(data))
        assert await host.settle() == (1, 0)
        assert host.got == data

    play(scenario)


def test_a_frame_waits_for_samples_under_way():
    async def scenario(host):
        await host.send(framed(images(1)))
        await host.settle()
        host.ctx.set(host.dut.idle, 0)
        await host.send(head(LENGTH))
        for _ in range(50):
            assert host.ctx.get(host.dut.waits)
            assert host.ctx.get(host.dut.loaded)
            assert not await host.tick()
        host.ctx.set(host.dut.idle, 1)
        await host.tick()
        assert not host.ctx.get(host.dut.loaded)
        await host.send(framed(images(2))[8:])
        assert await host.settle() == (1, 0)
        assert not host.ctx.get(host.dut.waits)

    play(scenario)
