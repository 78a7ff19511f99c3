"""PoolBank: values of a window are read, written, scanned and cleared; a reset leaves it to the scan."""

import numpy as np
import pytest
from stream_bench import simulate

from spikefold_hw.parts.pool_bank import PoolBank


async def pulse(ctx, *signals):
    for signal in signals:
        ctx.set(signal, 1)
    await ctx.tick()
    for signal in signals:
        ctx.set(signal, 0)


async def scan(ctx, bank, channels):
    """The values of all channels, cleared behind the reading; then the turn of events."""
    values = []
    for channel in range(channels):
        ctx.set(bank.channel, channel)
        await pulse(ctx, bank.advance, *([bank.read_last] if channel == channels - 1 else []))
        await pulse(ctx, bank.advance)
        values.append(ctx.get(bank.value))
        ctx.set(bank.wipe_channel, channel)
        await pulse(ctx, bank.wipe)
    assert [ctx.get(flag) for flag in (bank.full, bank.scanned, bank.fresh)] == [1, 1, 0]
    await pulse(ctx, bank.moved_on)
    assert [ctx.get(flag) for flag in (bank.full, bank.scanned, bank.fresh)] == [0, 0, 0]
    return values


@pytest.mark.parametrize("channels", [1, 2, 5, 8])
def test_windows_one_after_another(channels):
    bank, rng = PoolBank(channels, 6), np.random.default_rng(channels)

    async def bench(ctx):
        assert [ctx.get(flag) for flag in (bank.full, bank.scanned, bank.fresh)] == [1, 1, 1]
        await scan(ctx, bank, channels)
        for _ in range(6):
            values = [0] * channels
            for channel in rng.integers(0, channels, 12).tolist():
                ctx.set(bank.event, channel)
                await ctx.tick().repeat(2)
                assert ctx.get(bank.value) == values[channel]
                values[channel] = int(rng.integers(64))
                ctx.set(bank.update_channel, channel)
                ctx.set(bank.update_value, values[channel])
                await pulse(ctx, bank.update)
            await pulse(ctx, bank.mark)
            assert [ctx.get(flag) for flag in (bank.full, bank.scanned, bank.fresh)] == [1, 0, 0]
            await pulse(ctx, bank.complete)
            assert [ctx.get(flag) for flag in (bank.full, bank.scanned, bank.fresh)] == [1, 1, 1]
            # Events have no hand in it now.
            ctx.set(bank.update_value, 63)
            await pulse(ctx, bank.update)
            assert await scan(ctx, bank, channels) == values

    simulate(bank, bench)


def test_value_stays_while_the_scan_stands_still():
    bank = PoolBank(2, 4)

    async def bench(ctx):
        await scan(ctx, bank, 2)
        ctx.set(bank.update_channel, 1)
        ctx.set(bank.update_value, 9)
        await pulse(ctx, bank.update)
        await pulse(ctx, bank.mark, bank.complete)
        for channel in (1, 0):
            ctx.set(bank.channel, channel)
            await pulse(ctx, bank.advance)
        await ctx.tick().repeat(3)
        assert ctx.get(bank.value) == 9
        await pulse(ctx, bank.advance)
        assert ctx.get(bank.value) == 0

    simulate(bank, bench)
