"""Flatten: a map's positions count in the index, and only the last one's mark is left."""

import numpy as np
import pytest
from cell_samples import random_levels
from projection_bench import run_projection
from shape_samples import window_shape
from stream_bench import STALLS, event_beats, stream_run

from spikefold.ir.maps import Map
from spikefold_hw.streaming.window.flatten import Flatten
from spikefold_hw.streaming.window.shape import ProjectionShape


@pytest.mark.parametrize("stalls", STALLS)
def test_flatten_counts_positions(stalls):
    map_, rng = Map(3, 2, 2), np.random.default_rng(2)
    window = window_shape(map_, (2, 2))
    cells = random_levels(rng, 5, (3 * 4, 3))
    expected = [(int(k), int(cell[k])) for cell in cells.reshape(3, 12) for k in cell.nonzero()[0]]
    beats = event_beats(cells, style="bare")
    record = stream_run(Flatten(window), beats, len(beats), stalls=stalls)
    assert [(b["index"], b["level"]) for b in record.beats if b["level"]] == expected
    assert [b["end_position"] for b in record.beats if not b["level"]] == [0, 0, 0, 1] * 3
    projection = ProjectionShape(window, "naf", 4, 1)
    run_projection(projection, cells, 3, stalls=stalls)
