"""ProjectionMerge: projections take turns block by block, and a turn costs a cycle."""

import numpy as np
import pytest
from cell_samples import random_levels
from shape_samples import projection_core, projection_shape
from stream_bench import simulate

from spikefold_hw.streaming.window.merge import ProjectionMerge
from spikefold_hw.streams import Digit


@pytest.mark.usefixtures("not_elaborated")
@pytest.mark.parametrize("pause", [0.0, 0.5])
def test_merged_windows_take_turns(pause):
    """Digits of the first window, then of the second, and one flush; each swallowed flush costs a cycle."""
    projections = projection_shape(inputs=4), projection_shape(inputs=2, levels=1, coding="naf")
    rng, cores = np.random.default_rng(3), [projection_core(each, blocks=2) for each in projections]
    inputs = [core.o.payload.shape() for core in cores]
    merge = ProjectionMerge(Digit(2 * 4, 3, windows=2), inputs)
    beats, expected = [[], []], []
    turns = [
        core.model(random_levels(rng, p.window.levels, (3, p.window.inputs)))
        for core, p in zip(cores, projections, strict=True)
    ]
    for k, issued in enumerate(turns):
        beats[k] = [
            {"row": row, "shift": shift, "negative": int(sign < 0), "flush": int(flush)}
            for row, shift, sign, flush in issued
        ]
    queues = [list(turn) for turn in turns]
    while queues[0]:
        for k, queue in enumerate(queues):
            while not (item := queue.pop(0))[3]:
                expected.append((k, *item))
        expected.append((1, 0, 0, 0, True))
    got, left = merged_run(merge, beats, rng, pause, len(expected))
    assert [beat[1:] if beat[4] else beat for beat in got] == [e[1:] if e[4] else e for e in expected]
    if pause == 0.0:
        assert left[-1] == len(expected) - 1 + 3 * 2


def merged_run(merge, beats, rng, pause, count):
    """Drive both inputs and the sink at random; returns what left and when."""
    got, left, queues = [], [], [list(b) for b in beats]
    offered = [False, False]

    async def bench(ctx):
        cycle = 0
        while len(got) < count:
            for k, queue in enumerate(queues):
                offered[k] = bool(queue) and (offered[k] or rng.random() >= pause)
                ctx.set(getattr(merge, f"i{k}").valid, offered[k])
                for name, value in (queue[0] if queue else {}).items():
                    ctx.set(getattr(merge, f"i{k}").payload[name], value)
            ready = rng.random() >= pause
            ctx.set(merge.o.ready, ready)
            p = merge.o.payload
            watched = [
                merge.i0.ready,
                merge.i1.ready,
                merge.o.valid,
                p.window,
                p.row,
                p.shift,
                p.negative,
                p.flush,
            ]
            _, _, *ready_in, valid, window, row, shift, negative, flush = await ctx.tick().sample(*watched)
            for k, taken in enumerate(ready_in):
                if offered[k] and taken:
                    queues[k].pop(0)
                    offered[k] = False
            if valid and ready:
                got.append(
                    (window, row, shift, -1 if negative else 1, bool(flush))
                    if not flush
                    else (window, 0, 0, 0, True)
                )
                left.append(cycle)
            cycle += 1

    simulate(merge, bench)
    return got, left
