import numpy as np
import pytest
from sim_toy import random_levels

from spikefold.errors import InputError
from spikefold_sim.beats import decode_beats, encode_beats
from spikefold_sim.ports import BEAT


def beats(*rows):
    return np.array(list(rows), BEAT)


def test_zeros_are_not_sent_and_marks_ride_on_the_last_event():
    levels = np.array([[[0, 3, 0, 1], [0, 0, 0, 0]], [[2, 0, 0, 0], [0, 0, 0, 5]]])
    expected = beats(
        (1, 3, 0, 0, 0),
        (3, 1, 1, 1, 0),
        (0, 0, 1, 1, 1),
        (0, 2, 1, 1, 0),
        (3, 5, 1, 1, 1),
    )
    assert encode_beats(levels).tolist() == expected.tolist()


@pytest.mark.parametrize("steps", [1, 3])
def test_round_trip(steps):
    levels = random_levels(40, steps, seed=3)
    assert (decode_beats(encode_beats(levels), steps, levels.shape[2]) == levels).all()


def test_no_samples():
    assert len(encode_beats(np.zeros((0, 1, 4), int))) == 0
    assert decode_beats(np.zeros(0, BEAT), 1, 4).shape == (0, 1, 4)


def test_decoding_accepts_a_bare_mark_after_events():
    stream = beats((1, 3, 0, 0, 0), (3, 0, 1, 1, 0), (2, 1, 0, 0, 0), (3, 0, 1, 1, 1))
    assert decode_beats(stream, 2, 4).tolist() == [[[0, 3, 0, 0], [0, 0, 1, 0]]]


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (beats((1, 0, 0, 0, 0), (3, 0, 1, 1, 1)), r"^Event stream must keep its contract.* at beat 0$"),
        (beats((4, 1, 1, 1, 1)), r"^Event stream must keep its contract.* at beat 0$"),
        (beats((1, 1, 1, 0, 0), (0, 1, 1, 1, 1)), r"^Event stream must keep its contract.* at beat 0$"),
        (beats((1, 1, 1, 1, 0), (0, 1, 1, 1, 1)), r"^Event stream must keep its contract.* at beat 0$"),
        (beats((1, 1, 0, 0, 0), (1, 1, 1, 1, 1)), r"^Event stream must hold each neuron at most once a step"),
        (beats((1, 1, 1, 1, 1), (0, 1, 0, 0, 0)), r"^Event stream must keep its contract.* at beat 1$"),
    ],
)
def test_decoding_refuses_broken_streams(stream, message):
    with pytest.raises(InputError, match=message):
        decode_beats(stream, 1, 4)


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        (np.zeros((2, 3), int), r"^Levels must have the shape \[samples, steps, neurons\], not \(2, 3\)$"),
        (np.zeros((1, 1, 3)), r"^Levels must be integers, not 'float64'$"),
        (np.full((1, 1, 3), -1), r"^Levels must not be negative, not .*-1"),
    ],
)
def test_encoding_refuses_what_are_no_levels(levels, message):
    with pytest.raises(InputError, match=message):
        encode_beats(levels)
