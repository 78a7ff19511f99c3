"""CellCounter against its model, and its model against the places of all cells."""

from itertools import product

import numpy as np
import pytest
from stream_bench import simulate

from spikefold_hw.order import ORDERS, Time
from spikefold_hw.parts.cell_counter import CellCounter


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("steps", [1, 2, 3, 5])
@pytest.mark.parametrize("positions", [1, 2, 4, 7])
def test_flags_of_every_cell(positions, steps, order):
    counter, rng, seen = CellCounter(positions, Time(steps, order)), np.random.default_rng(steps), []
    outputs = [getattr(counter, flag) for flag in CellCounter.flags]
    cells = 3 * positions * steps

    async def bench(ctx):
        while len(seen) < cells:
            strobe = int(rng.random() < 0.6)
            ctx.set(counter.next, strobe)
            _, _, *now = await ctx.tick().sample(*outputs)
            if strobe:
                seen.append(now)

    simulate(counter, bench)
    expected = counter.model()
    assert list(expected) == list(CellCounter.flags)
    assert seen == np.tile(np.stack(list(expected.values()), 1), (3, 1)).tolist()


@pytest.mark.usefixtures("not_elaborated")
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("positions", "steps"), [(1, 1), (1, 4), (3, 1), (3, 2), (2, 5)])
def test_model(positions, steps, order):
    cells = list(product(range(positions), range(steps)))
    if order == "step_major":
        cells.sort(key=lambda cell: cell[::-1])
    flags = CellCounter(positions, Time(steps, order)).model()
    for k, (position, step) in enumerate(cells):
        assert flags["first_step"][k] == (step == 0)
        assert flags["last_step"][k] == (step == steps - 1)
        assert flags["last_position"][k] == (position == positions - 1)
        following = cells[(k + 1) % len(cells)][1]
        assert steps == 1 or flags["leaves_step"][k] == (following == (step + 1) % steps)
