"""CurrentRepeater: every position `repeats` times, without a pause, and what it costs in cycles."""

import numpy as np
import pytest
from stream_bench import STALLS, stream_run

from spikefold_hw.parts.shapes import Blocks
from spikefold_hw.streaming.drain.repeater import CurrentRepeater, repeat_rows

BITS = 9


def repeater_of(channels, units, repeats):
    blocks = Blocks(channels, 1, units, units)
    return blocks, CurrentRepeater(blocks, BITS, repeats)


def words_of(rng, blocks, positions):
    sums = rng.integers(-(1 << (BITS - 1)), 1 << (BITS - 1), (positions * blocks.words, blocks.units))
    return [{k: int(value) for k, value in enumerate(word)} for word in sums]


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize(
    ("channels", "units", "repeats"), [(1, 1, 2), (5, 1, 3), (6, 3, 2), (8, 8, 5), (12, 4, 2)]
)
def test_positions_are_repeated(channels, units, repeats, stalls):
    blocks, repeater = repeater_of(channels, units, repeats)
    words = words_of(np.random.default_rng(channels), blocks, 7)
    by_position = [words[k : k + blocks.words] for k in range(0, len(words), blocks.words)]
    expected = [word for position in by_position for _ in range(repeats) for word in position]
    assert repeater.model(words) == expected
    assert stream_run(repeater, words, len(expected), stalls=stalls).beats == expected


@pytest.mark.parametrize(("channels", "repeats"), [(1, 2), (2, 2), (5, 3)])
def test_cycles_with_a_source_and_a_sink_that_never_wait(channels, repeats):
    blocks, repeater = repeater_of(channels, 1, repeats)
    words = words_of(np.random.default_rng(0), blocks, 6)
    record = stream_run(repeater, words, len(words) * repeats)
    first = CurrentRepeater.latency
    assert record.left == list(range(first, first + len(words) * repeats))
    # A position is taken as soon as the last word of the one two before it was fetched.
    fetched = np.array(record.left)[channels * repeats - 1 :: channels * repeats] - 1
    starts = np.array(record.taken)[::channels]
    earliest = np.array(record.taken)[channels - 1 :: channels] + 1
    assert (starts[2:] == np.maximum(fetched[:-2] + 1, earliest[1:-1])).all()
    assert repeat_rows(blocks) == 2 * channels


def test_a_position_is_taken_while_another_is_repeated():
    blocks, repeater = repeater_of(4, 1, 3)
    words = words_of(np.random.default_rng(0), blocks, 2)
    record = stream_run(repeater, words, 24)
    assert record.taken == list(range(8))


@pytest.mark.usefixtures("not_elaborated")
def test_model_of_two_positions():
    _, repeater = repeater_of(4, 2, 3)
    assert repeater.model([1, 2, 3, 4]) == [1, 2] * 3 + [3, 4] * 3
