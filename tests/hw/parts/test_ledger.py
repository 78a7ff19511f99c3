"""Ledger: tickets leave in the order in which they came, and it says when it is full."""

import numpy as np
import pytest
from stream_bench import simulate

from spikefold_hw.parts.admission import Ticket
from spikefold_hw.parts.ledger import MARGIN, Ledger

READY = 2
"""Cycles from a push to its ticket on the output."""


@pytest.mark.parametrize("pace", [(0.5, 0.5), (0.9, 0.3), (0.3, 0.9), (1.0, 1.0), (1.0, 0.05)])
@pytest.mark.parametrize(("tag_bits", "depth"), [(0, 4), (0, 32), (5, 8), (32, 16)])
def test_tickets_keep_their_order(tag_bits, depth, pace):
    """As in a network: a cycle after `full` no sample begins, and results come some cycles later."""
    dut = Ledger(Ticket(tag_bits, True), depth)
    rng = np.random.default_rng(depth)
    waiting, fullest = [], []

    async def bench(ctx):
        hold = False
        for cycle in range(600):
            ctx.set(dut.i.as_value(), ticket := int(rng.integers(1 << tag_bits + 1)))
            push = not hold and rng.random() < pace[0]
            hold = bool(ctx.get(dut.full))
            there = bool(waiting) and cycle - waiting[0][0] >= READY
            pop = there and rng.random() < pace[1]
            ctx.set(dut.push, push)
            ctx.set(dut.pop, pop)
            assert ctx.get(dut.some) == bool(waiting)
            counted = sum(cycle - began >= 2 for began, _ in waiting)
            assert hold == (counted >= depth - MARGIN)
            if there:
                assert ctx.get(dut.o.as_value()) == waiting[0][1]
            if pop:
                waiting.pop(0)
            if push:
                waiting.append((cycle, ticket))
            fullest.append(len(waiting))
            await ctx.tick()

    simulate(dut, bench)
    assert max(fullest) <= depth
    assert max(fullest) >= (depth - 1 if pace == (1.0, 0.05) else 1)


def test_empty_tickets_are_counted():
    dut = Ledger(Ticket(0, False), 4)

    async def bench(ctx):
        for push, pop, some, full in [
            (1, 0, 1, 0),
            (0, 0, 1, 1),
            (1, 0, 1, 1),
            (0, 0, 1, 1),
            (0, 1, 1, 1),
            (0, 1, 0, 0),
            (0, 0, 0, 0),
        ]:
            ctx.set(dut.push, push)
            ctx.set(dut.pop, pop)
            await ctx.tick()
            assert (ctx.get(dut.some), ctx.get(dut.full)) == (some, full)

    simulate(dut, bench)
