"""EventBuffer: two banks, one filled while the other is replayed."""

import numpy as np
import pytest
from shape_samples import projection_shape
from stream_bench import STALLS, event_beats, stream_run

from spikefold_hw.streaming.window.event_buffer import FREE_AFTER, EventBuffer


def test_second_bank_fills_while_the_first_is_replayed():
    projection = projection_shape(inputs=4, levels=1)
    record = stream_run(EventBuffer(projection.weights, 10), event_beats(np.ones((4, 4), int)), 4 * 50)
    assert record.taken[:8] == list(range(8))
    # The third position waits until the first bank's last slot has left, the fourth for the second's.
    assert record.taken[8] == record.left[49] + FREE_AFTER
    assert record.taken[12] == record.left[99] + FREE_AFTER


@pytest.mark.parametrize("stalls", STALLS)
def test_buffer_replays_events_and_flushes(stalls):
    projection = projection_shape(inputs=3, levels=4)
    positions = np.array([[0, 4, 1], [0, 0, 0], [2, 2, 2]])
    expected = []
    for levels in positions:
        expected += 4 * [*((k, int(level)) for k, level in enumerate(levels) if level), "flush"]
    record = stream_run(
        EventBuffer(projection.weights, 4), event_beats(positions), len(expected), stalls=stalls, tail=60
    )
    assert ["flush" if b["flush"] else (b["index"], b["pending"]) for b in record.beats] == expected
    if stalls == (0, 0):
        assert record.left[0] == record.taken[0] + EventBuffer.latency
