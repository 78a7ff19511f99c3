"""Bounds of silence: nothing is still for longer than `longest_silence`, after the last result too."""

import numpy as np
import pytest
from random_networks import random_graph_levels
from random_plans import random_plan

from spikefold.golden import Golden
from spikefold.ir.stages import INPUT
from spikefold_hw.streaming.predict import longest_silence, predict, trailing_silence
from spikefold_hw.streaming.times import InputTimes, Stream, run


def marks_of(plan, levels):
    """Cycles of the marks of all cells of all streams, in order, and of the last result."""
    levels = {name: plan.presented(name, values) for name, values in levels.items()}
    streams = {name: Stream() for name in (*plan.sources, plan.readout.name)}
    first, time = plan.input, plan.input.time
    cells = time.in_cells(levels[INPUT], first.map)
    source = InputTimes(cells, first.map.positions * time.steps, streams[INPUT])
    run([source, *(stage.times(levels, streams) for stage in plan.stages)])
    return sorted(mark for stream in streams.values() for mark in stream.marks)


@pytest.mark.parametrize("seed", range(20))
def test_silence_is_bounded(seed):
    """Marks are some of the beats, so beats are no further apart; the first samples are silent and full."""
    rng = np.random.default_rng([41, seed])
    network, plan = random_plan(rng, stages=4, neurons=60, edge=5, channels=4)
    x = random_graph_levels(rng, network, 3)
    levels = {INPUT: x, **Golden(network).run(x, record=True).levels}
    marks = np.array(marks_of(plan, levels))
    assert np.diff(marks, prepend=0).max() <= longest_silence(plan)
    last = predict(plan, levels).results[-1]
    after = np.diff(np.append(last, marks[marks > last]))
    assert after.max(initial=0) <= trailing_silence(plan)
