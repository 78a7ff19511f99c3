"""A projection's core in the bench: positions that reach every corner, and what it issues."""

import numpy as np
from cell_samples import random_levels
from shape_samples import ONE_STEP, projection_core
from stream_bench import event_beats, stream_run


def edge_positions(projection, seed=0, count=4):
    """Empty, full, single events at both ends, and random positions in between."""
    window, rng = projection.window, np.random.default_rng(seed)
    ends = np.zeros((2, window.inputs), int)
    ends[0, 0] = ends[1, -1] = window.levels
    empty, full = np.zeros((1, window.inputs), int), np.full((1, window.inputs), window.levels)
    noise = random_levels(rng, window.levels, (count, window.inputs))
    return np.concatenate([empty, full, full, ends, empty, noise, empty, full])


def issued_by(record):
    """Beats of a window in the form of its model."""
    return [
        (0, 0, 0, True)
        if beat["flush"]
        else (beat["row"], beat["shift"], -1 if beat["negative"] else 1, False)
        for beat in record.beats
    ]


def run_projection(projection, cells, blocks, time=ONE_STEP, style="riding", **options):
    """Run cells (cells, channels) through a core, and hold it to its model."""
    dut = projection_core(projection, blocks, time)
    expected = dut.model(cells)
    record = stream_run(dut, event_beats(cells, style=style), len(expected), **options)
    assert issued_by(record) == expected
    return record
