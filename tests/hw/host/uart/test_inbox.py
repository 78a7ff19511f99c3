"""What a host has sent: taken in order, each frame once, and nothing of a bad one."""

import numpy as np
import pytest
from stream_bench import simulate

from spikefold.errors import InputError
from spikefold_hw.host.uart.inbox import Inbox
from spikefold_hw.host.uart.protocol import Command, checked

STROBES = ("started", "read", "reset", "asked", "accepted", "refused", "damaged")


class Bench:
    """Hands frames to the inbox as the deframer does, and takes data at random."""

    def __init__(self, ctx, dut, rng):
        self.ctx, self.dut, self.rng = ctx, dut, rng
        self.taken, self.seen, self.drained, self.pause = bytearray(), [], 0, 0.5

    async def cycle(self):
        ready = self.rng.random() >= self.pause
        self.ctx.set(self.dut.o.ready, ready)
        signals = [self.dut.o.valid, self.dut.o.payload, self.dut.drained]
        _, _, valid, byte, drained, *strobes = await self.ctx.tick().sample(
            *signals, *(getattr(self.dut, name) for name in STROBES)
        )
        if valid and ready:
            self.taken.append(byte)
        self.drained += drained
        return {name for name, strobe in zip(STROBES, strobes, strict=True) if strobe}

    async def frame(self, code, first=0, second=0, payload=b"", good=True, body=None):
        """Send a frame; the strobes at its end."""
        ctx, dut = self.ctx, self.dut
        for byte in checked(bytes([code, first, second]) + payload) if body is None else body:
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.i.payload, byte)
            assert not await self.cycle()
            ctx.set(dut.i.valid, 0)
            for _ in range(2):
                assert not await self.cycle()
        ctx.set(dut.ended, 1)
        ctx.set(dut.good, good)
        found = await self.cycle()
        ctx.set(dut.ended, 0)
        await self.cycle()
        return found


def run(program, buffer_bits=8, seed=0):
    dut = Inbox(buffer_bits)

    async def bench(ctx):
        await program(Bench(ctx, dut, np.random.default_rng(seed)), dut, ctx)

    simulate(dut, bench)


@pytest.mark.parametrize("seed", range(2))
def test_data_leave_in_order_and_once(seed):
    async def program(bench, dut, ctx):
        rng, sent, number, size = np.random.default_rng(seed), bytearray(), 0, 1 << 8
        await bench.frame(Command.START, 9, 1)
        for turn in range(100):
            bench.pause = 1.0 if turn % 50 > 38 else 0.5
            payload = rng.integers(0, 256, int(rng.integers(0, 40))).astype(np.uint8).tobytes()
            wrong = int(rng.choice([0, 0, 0, -1, 1]))
            good = bool(rng.random() < 0.8)
            fits = len(sent) - len(bench.taken) + len(payload) + 5 < size
            strobes = await bench.frame(Command.DATA, (number + wrong) % 256, turn % 256, payload, good)
            if good and not wrong and ("accepted" in strobes or fits):
                assert strobes == {"accepted"}
                sent += payload
                number = (number + 1) % 256
            else:
                assert strobes == {"refused"} | ({"damaged"} if not good else set())
            assert ctx.get(dut.expected) == number
            assert not good or ctx.get(dut.round) == turn
        bench.pause = 0.0
        for _ in range(2 * size):
            await bench.cycle()
        assert bytes(bench.taken) == bytes(sent)
        assert len(sent) > 2 * size
        assert ctx.get(dut.consumed) == len(sent) % size
        assert abs(bench.drained - len(sent) // (size // 4)) <= 1

    run(program, seed=seed)


def test_a_start_forgets_what_waits_and_opens_a_session():
    async def program(bench, dut, ctx):
        assert await bench.frame(Command.DATA, 0, 0, b"early") == {"refused"}
        assert await bench.frame(Command.START, 5, 3) == {"started"}
        assert (ctx.get(dut.session), ctx.get(dut.mode)) == (5, 3)
        bench.pause = 1.0
        assert await bench.frame(Command.DATA, 0, 0, b"waits") == {"accepted"}
        assert await bench.frame(Command.START, 6, 0) == {"started"}
        bench.pause = 0.0
        assert await bench.frame(Command.DATA, 1, 0, b"comes") == {"accepted"}
        for _ in range(30):
            await bench.cycle()
        assert bytes(bench.taken) == b"comes"

    run(program)


def test_commands_are_told_and_short_or_damaged_frames_refused():
    async def program(bench, dut, ctx):
        assert await bench.frame(Command.READ, 17) == {"read"}
        assert ctx.get(dut.address) == 17
        assert await bench.frame(Command.RESET) == {"reset"}
        assert await bench.frame(Command.STATUS) == {"asked"}
        assert await bench.frame(Command.RESET, good=False) == {"damaged", "refused"}
        for length in range(7):
            assert await bench.frame(0, body=bytes([8, 0, 0, 1, 2, 3])[:length]) == {"damaged", "refused"}
        assert await bench.frame(Command.START | Command.READ) == set()  # no such command

    run(program)


def test_a_frame_without_room_is_refused_and_harms_none():
    async def program(bench, dut, ctx):
        await bench.frame(Command.START, 1, 0)
        bench.pause = 1.0
        sent = b""
        for number in range(8):
            payload = bytes([number]) * 30
            strobes = await bench.frame(Command.DATA, ctx.get(dut.expected), 0, payload)
            if strobes == {"accepted"}:
                sent += payload
            else:
                assert strobes == {"refused"}
        assert len(sent) == 240
        assert await bench.frame(Command.DATA, ctx.get(dut.expected), 0, bytes(30)) == {"refused"}
        assert await bench.frame(Command.DATA, ctx.get(dut.expected), 0, bytes(600)) == {"refused"}
        bench.pause = 0.0
        for _ in range(600):
            await bench.cycle()
        assert bytes(bench.taken) == sent

    run(program)


def test_a_buffer_has_a_least_size(not_elaborated):
    with pytest.raises(InputError, match=r"^Buffer must hold at least 2\*\*8 bytes, not 2\*\*7$"):
        Inbox(7)
