"""CurrentRepeater: every position `repeats` times, without a pause, and what it costs in cycles."""

from dataclasses import replace

import numpy as np
import pytest
from layer_samples import sample_layer
from stream_bench import STALLS, stream_run

from spikefold_hw.streaming.drain.repeater import CurrentRepeater, repeat_rows


def repeater_of(channels, drain, repeats):
    sample = sample_layer(np.full((1, channels, 3), -8), 4, levels=9, lanes=drain, drain=drain, steps=repeats)
    assert sample.profile.repeats == repeats
    return sample.profile, CurrentRepeater(sample.profile)


def words_of(rng, profile, positions):
    bits = profile.widths.accumulator
    sums = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), (positions * profile.words, profile.drain))
    return [{k: int(value) for k, value in enumerate(word)} for word in sums]


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize(
    ("channels", "drain", "repeats"), [(1, 1, 2), (5, 1, 3), (6, 3, 2), (8, 8, 5), (12, 4, 2)]
)
def test_positions_are_repeated(channels, drain, repeats, stalls):
    profile, repeater = repeater_of(channels, drain, repeats)
    words = words_of(np.random.default_rng(channels), profile, 7)
    by_position = [words[k : k + profile.words] for k in range(0, len(words), profile.words)]
    expected = [word for position in by_position for _ in range(repeats) for word in position]
    assert repeater.model(words) == expected
    assert stream_run(repeater, words, len(expected), stalls=stalls).beats == expected


@pytest.mark.parametrize(("channels", "repeats"), [(1, 2), (2, 2), (5, 3)])
def test_cycles_with_a_source_and_a_sink_that_never_wait(channels, repeats):
    profile, repeater = repeater_of(channels, 1, repeats)
    words = words_of(np.random.default_rng(0), profile, 6)
    record = stream_run(repeater, words, len(words) * repeats)
    first = CurrentRepeater.latency
    assert record.left == list(range(first, first + len(words) * repeats))
    # A position is taken as soon as the last word of the one two before it was fetched.
    fetched = np.array(record.left)[channels * repeats - 1 :: channels * repeats] - 1
    starts = np.array(record.taken)[::channels]
    earliest = np.array(record.taken)[channels - 1 :: channels] + 1
    assert (starts[2:] == np.maximum(fetched[:-2] + 1, earliest[1:-1])).all()
    assert repeat_rows(profile) == 2 * channels


def test_a_position_is_taken_while_another_is_repeated():
    profile, repeater = repeater_of(4, 1, 3)
    words = words_of(np.random.default_rng(0), profile, 2)
    record = stream_run(repeater, words, 24)
    assert record.taken == list(range(8))


@pytest.mark.usefixtures("not_elaborated")
def test_model_of_two_positions():
    profile, _ = repeater_of(4, 2, 2)
    assert CurrentRepeater(replace(profile, repeats=3)).model([1, 2, 3, 4]) == [1, 2] * 3 + [3, 4] * 3
