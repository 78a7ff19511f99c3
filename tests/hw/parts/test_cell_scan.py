"""CellScan walks over channels, positions and steps in the order of time."""

from itertools import product

import pytest
from stream_bench import simulate

from spikefold.ir.maps import Map
from spikefold_hw.order import ORDERS, Time
from spikefold_hw.parts.cell_scan import CellScan


def walk(dut, strobes, void=()):
    """`(channel, last, end_step, end_sample)` in the cycles with a strobe."""
    seen = []

    async def bench(ctx):
        for cycle, strobe in enumerate(strobes):
            ctx.set(dut.next, strobe)
            ctx.set(dut.void, cycle in void)
            _, _, *now = await ctx.tick().sample(dut.channel, dut.last, dut.end_step, dut.end_sample)
            if strobe:
                seen.append(tuple(map(int, now)))

    simulate(dut, bench)
    return seen


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("map_", [Map(1), Map(3), Map(1, 2, 2), Map(2, 1, 3), Map(4, 2, 1)])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_scan_names_channels_and_ends(order, map_, steps):
    places = list(product(range(map_.positions), range(steps)))
    if order == "step_major":
        places.sort(key=lambda place: place[::-1])
    expected = []
    for position, step in places:
        for channel in range(map_.channels):
            last = channel == map_.channels - 1
            end = last and position == map_.positions - 1
            expected.append((channel, last, end, end and step == steps - 1))
    strobes = [1, 1, 0, 1, 0, 0] * len(expected)
    assert walk(CellScan(map_, Time(steps, order)), strobes) == expected * 3


def test_void_cells_do_not_count():
    seen = walk(CellScan(Map(2, 1, 2), Time(1, "position_major")), [1] * 8, void=range(4))
    assert [end for _, _, end, _ in seen] == [0, 0, 0, 0, 0, 0, 0, 1]
    assert [channel for channel, *_ in seen] == [0, 1] * 4
