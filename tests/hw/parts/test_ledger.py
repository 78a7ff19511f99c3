"""Ledger: tickets leave in the order in which they came, and it says when it is full."""

import numpy as np
import pytest
from stream_bench import simulate

from spikefold_hw.parts.admission import Ticket
from spikefold_hw.parts.ledger import Ledger


@pytest.mark.parametrize("pace", [(0.5, 0.5), (0.9, 0.3), (0.3, 0.9), (1.0, 1.0)])
@pytest.mark.parametrize(("tag_bits", "depth"), [(0, 4), (0, 32), (5, 8), (32, 16)])
def test_tickets_keep_their_order(tag_bits, depth, pace):
    """As in a network: a sample begins only with room, and its result comes some cycles after its end."""
    dut = Ledger(Ticket(tag_bits, True), depth)
    rng = np.random.default_rng(depth)
    waiting, fullest = [], []

    async def bench(ctx):
        for cycle in range(600):
            ctx.set(dut.i.as_value(), ticket := int(rng.integers(1 << tag_bits + 1)))
            push = not ctx.get(dut.full) and rng.random() < pace[0]
            pop = bool(waiting) and cycle - waiting[0][0] >= 2 and rng.random() < pace[1]
            ctx.set(dut.push, push)
            ctx.set(dut.pop, pop)
            assert ctx.get(dut.some) == bool(waiting)
            assert ctx.get(dut.full) == (len(waiting) >= depth - 1)
            if waiting and cycle - waiting[0][0] >= 2:
                assert ctx.get(dut.o.as_value()) == waiting[0][1]
            fullest.append(len(waiting))
            if pop:
                waiting.pop(0)
            if push:
                waiting.append((cycle, ticket))
            await ctx.tick()

    simulate(dut, bench)
    assert max(fullest) == (depth - 1 if pace[0] > 0.5 > pace[1] else max(fullest))
    assert len(set(fullest)) > 1


def test_empty_tickets_are_counted():
    dut = Ledger(Ticket(0, False), 4)

    async def bench(ctx):
        for push, pop, some, full in [
            (1, 0, 1, 0),
            (1, 0, 1, 0),
            (1, 1, 1, 0),
            (1, 0, 1, 1),
            (0, 1, 1, 0),
            (0, 1, 1, 0),
            (0, 1, 0, 0),
        ]:
            ctx.set(dut.push, push)
            ctx.set(dut.pop, pop)
            await ctx.tick()
            assert (ctx.get(dut.some), ctx.get(dut.full)) == (some, full)

    simulate(dut, bench)
