"""LineBuffer against `LineBuffer.model`, which reads the map directly."""

import numpy as np
import pytest
from shape_samples import buffered_window
from stream_bench import STALLS
from window_bench import SHAPES, random_maps, run_window

from spikefold.ir.maps import Map


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize(("map_", "kernel", "stride", "padding", "groups"), SHAPES)
def test_windows_of_every_shape(map_, kernel, stride, padding, groups, steps):
    rng = np.random.default_rng(3)
    for slack in (0, 1, 3):
        window = buffered_window(map_, kernel, stride, padding, groups, steps=steps, slack=slack)
        run_window(window, random_maps(rng, window, 3))


@pytest.mark.parametrize("style", ["riding", "bare"])
@pytest.mark.parametrize("stalls", STALLS)
def test_windows_under_stalls(stalls, style):
    rng = np.random.default_rng(4)
    window = buffered_window(Map(3, 4, 4), (3, 3), (1, 1), (1, 1), steps=2, slack=0)
    run_window(window, random_maps(rng, window, 3), style, stalls=stalls)


def test_pooled_windows_keep_the_channel():
    rng = np.random.default_rng(5)
    window = buffered_window(Map(5, 4, 6), (2, 2), (2, 2))
    run_window(window, random_maps(rng, window, 2), taps=False)
