"""WindowWalk: every tap in order, no window before its last cell, and what each sets free."""

from itertools import product

import numpy as np
import pytest
from shape_samples import buffered_window
from stream_bench import simulate
from window_bench import SHAPES

from spikefold_hw.streaming.window.walk import WindowWalk

MAPS = 3
FIELDS = ("cell", "inside", "offset", "group", "last", "released")


def taps_of(window):
    """What is shown, tap by tap, and the cells that must be complete, for some maps one after another.

    The ring cell of a tap outside the map is None.
    """
    geometry, (kernel_rows, kernel_columns) = window.geometry, window.kernel
    taps, needs, freed = [], [], np.diff(geometry.released, prepend=0).tolist()
    for frame, y, x in product(range(MAPS), range(geometry.height), range(geometry.width)):
        output = y * geometry.width + x
        for step, group in product(range(window.steps), range(window.groups)):
            ends = step == window.steps - 1 and group == window.groups - 1
            needs.append((frame * window.map.positions + int(geometry.needed[output])) * window.steps + step)
            for row, column in product(range(kernel_rows), range(kernel_columns)):
                top = y * window.stride[0] - window.padding[0] + row
                left = x * window.stride[1] - window.padding[1] + column
                inside = 0 <= top < window.map.height and 0 <= left < window.map.width
                place = frame * window.map.positions + top * window.map.width + left
                last = (row, column) == (kernel_rows - 1, kernel_columns - 1)
                taps.append(
                    {
                        "cell": (place * window.steps + step) % window.cells if inside else None,
                        "inside": int(inside),
                        "offset": (row * kernel_columns + column) * window.channels,
                        "group": group,
                        "last": int(last),
                        "released": freed[output] if last and ends else 0,
                    }
                )
    return taps, needs


def walk_run(dut, window, taps, rng, shifts, writes):
    """Let cells come and taps be taken at random.

    Returns cycles in which cells were complete, and in which each window's first tap was shown first.
    """
    cells = MAPS * window.map.positions * window.steps
    written, shown, k, room = [], [], 0, window.cells

    async def bench(ctx):
        nonlocal k, room
        cycle, begins, last = 0, True, 0
        while k < len(taps):
            assert cycle - last < 500, f"stuck before tap {k}"
            write = len(written) < cells and room > 0 and rng.random() < writes
            shift = rng.random() < shifts
            ctx.set(dut.written, write)
            ctx.set(dut.shift, shift)
            if ctx.get(dut.valid):
                tap = {name: ctx.get(getattr(dut, name)) for name in FIELDS}
                if taps[k]["cell"] is None:
                    tap["cell"] = None
                assert tap == taps[k], f"tap {k}"
                if begins:
                    shown.append(cycle)
                begins = False
                if shift:
                    room += tap["released"] * window.steps
                    begins = bool(tap["last"])
                    k, last = k + 1, cycle
            if write:
                written.append(cycle)
                room -= 1
                last = cycle
            await ctx.tick()
            cycle += 1

    simulate(dut, bench)
    return written, shown


@pytest.mark.parametrize(("shifts", "writes"), [(1.0, 1.0), (1.0, 0.1), (0.3, 1.0), (0.5, 0.5)])
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize(("map_", "kernel", "stride", "padding", "groups"), SHAPES)
def test_walk(map_, kernel, stride, padding, groups, steps, shifts, writes):
    window = buffered_window(map_, kernel, stride, padding, groups, steps=steps, slack=int(shifts))
    taps, needs = taps_of(window)
    rng = np.random.default_rng(steps)
    written, shown = walk_run(WindowWalk(window), window, taps, rng, shifts, writes)
    assert len(shown) == len(needs)
    begun = -10
    for first, need in zip(shown, needs, strict=True):
        # Two cycles after its last cell it is known to be complete, and in the cycle after begun.
        known = written[need] + 2
        if shifts == 1.0:
            begun = max(known, begun + max(3, window.taps + 1))
            assert first == begun + 1
        else:
            assert first > known
