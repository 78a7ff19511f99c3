import itertools

import numpy as np
import pytest
from sim_toy import SHAPE, random_levels

from spikefold.errors import InputError
from spikefold.flow.ports import BEAT
from spikefold.ir.maps import Map
from spikefold_hw.order import Time
from spikefold_sim.beats import StreamShape, decode_beats, encode_beats

DENSE = StreamShape(Map(4), Time(2, "step_major"))
MAP = StreamShape(Map(4, 2, 2), Time(2, "position_major"))


def beats(*rows):
    """Beats with the tag 0."""
    return np.array([(*row, 0) for row in rows], BEAT)


def beats_one_by_one(levels, shape):
    """The stream contract, spelled out; levels (samples, steps, channels, height, width)."""
    rows = []
    height, width = shape.map.height, shape.map.width
    places = list(itertools.product(range(height), range(width)))
    steps = range(shape.steps)
    for sample in levels:
        if shape.time.order == "position_major":
            cells = [(t, y, x) for y, x in places for t in steps]
        else:
            cells = [(t, y, x) for t in steps for y, x in places]
        for t, y, x in cells:
            events = [(c, n) for c, n in enumerate(sample[t, :, y, x]) if n] or [(0, 0)]
            end_step = (y, x) == (height - 1, width - 1)
            end = (True, end_step, end_step and t == shape.steps - 1)
            rows += [(c, n, False, False, False) for c, n in events[:-1]] + [(*events[-1], *end)]
    return beats(*rows).tolist()


def test_zeros_are_not_sent_and_marks_ride_on_the_last_event():
    levels = np.array([[[0, 3, 0, 1], [0, 0, 0, 0]], [[2, 0, 0, 0], [0, 0, 0, 5]]])
    expected = beats(
        (1, 3, 0, 0, 0),
        (3, 1, 1, 1, 0),
        (0, 0, 1, 1, 1),
        (0, 2, 1, 1, 0),
        (3, 5, 1, 1, 1),
    )
    assert encode_beats(levels, DENSE).tolist() == expected.tolist()


def test_both_orders_of_time():
    """One channel, two positions, two steps: levels 1 and 2 at the first position, 3 and 4 at the second."""
    levels = np.array([[[[[1, 3]]], [[[2, 4]]]]])
    shape = StreamShape(Map(1, 1, 2), Time(2, "position_major"))
    expected = beats((0, 1, 1, 0, 0), (0, 2, 1, 0, 0), (0, 3, 1, 1, 0), (0, 4, 1, 1, 1))
    assert encode_beats(levels, shape).tolist() == expected.tolist()
    expected = beats((0, 1, 1, 0, 0), (0, 3, 1, 1, 0), (0, 2, 1, 0, 0), (0, 4, 1, 1, 1))
    assert encode_beats(levels, StreamShape(shape.map, Time(2, "step_major"))).tolist() == expected.tolist()


@pytest.mark.parametrize("order", ["position_major", "step_major"])
@pytest.mark.parametrize(("steps", "size"), [(1, (1, 1, 1)), (3, (5, 1, 1)), (1, (2, 3, 2)), (4, (3, 2, 5))])
@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
def test_encoding_keeps_the_contract_and_decoding_undoes_it(steps, size, order, density):
    shape = StreamShape(Map(*size), Time(steps, order))
    generator = np.random.default_rng(3)
    levels = generator.integers(1, 256, (6, steps, *size)) * (generator.random((6, steps, *size)) < density)
    stream = encode_beats(levels, shape)
    assert stream.tolist() == beats_one_by_one(levels, shape)
    assert (decode_beats(stream, shape) == levels).all()


@pytest.mark.parametrize("order", ["position_major", "step_major"])
def test_a_static_input_is_sent_in_every_step(order):
    shape = StreamShape(Map(3, 2, 2), Time(3, order))
    levels = np.random.default_rng(8).integers(0, 4, (5, 1, 3, 2, 2))
    assert encode_beats(levels, shape).tolist() == encode_beats(levels.repeat(3, axis=1), shape).tolist()


def test_one_position_takes_levels_of_any_axes():
    """An image that only dense layers read is one position, its pixels numbered (channel, row, column)."""
    levels = np.random.default_rng(4).integers(0, 3, (7, 1, 2, 4, 3))
    shape = StreamShape(Map(24), Time(1, "position_major"))
    stream = encode_beats(levels, shape)
    assert stream.tolist() == encode_beats(levels.reshape(7, 1, 24), shape).tolist()
    assert stream.tolist() == beats_one_by_one(levels.reshape(7, 1, 24, 1, 1), shape)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64])
def test_every_integer_dtype_is_taken(dtype):
    levels = random_levels(4)
    assert encode_beats(levels.astype(dtype), SHAPE).tolist() == encode_beats(levels, SHAPE).tolist()


def test_no_samples():
    assert len(encode_beats(np.zeros((0, 2, 4), int), DENSE)) == 0
    assert decode_beats(np.zeros(0, BEAT), MAP).shape == (0, 2, 4, 2, 2)


def test_decoding_accepts_a_bare_mark_after_events():
    stream = beats((1, 3, 0, 0, 0), (3, 0, 1, 1, 0), (2, 1, 0, 0, 0), (3, 0, 1, 1, 1))
    assert decode_beats(stream, DENSE)[..., 0, 0].tolist() == [[[0, 3, 0, 0], [0, 0, 1, 0]]]


ONE = StreamShape(Map(4), Time(1, "position_major"))
PAIR = StreamShape(Map(4, 1, 2), Time(1, "position_major"))


@pytest.mark.parametrize(
    ("shape", "stream", "place", "reason"),
    [
        (ONE, beats((1, 0, 0, 0, 0), (3, 0, 1, 1, 1)), 0, "neither event nor mark"),
        (ONE, beats((4, 1, 1, 1, 1)), 0, "channel out of range"),
        (ONE, beats((1, 1, 1, 0, 1)), 0, "wrong end flags"),
        (ONE, beats((1, 1, 0, 1, 1)), 0, "wrong end flags"),
        (ONE, beats((1, 1, 1, 1, 0), (1, 1, 1, 1, 1)), 1, "cell too many"),
        (ONE, beats((1, 1, 0, 0, 0), (1, 1, 1, 1, 1)), 1, "channels must ascend"),
        (ONE, beats((2, 1, 0, 0, 0), (1, 1, 1, 1, 1)), 1, "channels must ascend"),
        (ONE, beats((1, 1, 1, 1, 1), (0, 1, 0, 0, 0)), 1, "surplus beat"),
        (PAIR, beats((1, 1, 1, 0, 0), (1, 1, 1, 1, 1), (1, 1, 1, 0, 0)), 2, "surplus beat"),
        (PAIR, beats((1, 1, 1, 1, 0), (1, 1, 1, 1, 1)), 0, "wrong end flags"),
        (PAIR, beats((1, 1, 1, 0, 0), (1, 1, 1, 0, 1)), 1, "wrong end flags"),
        (PAIR, beats((1, 1, 1, 0, 1), (1, 1, 1, 1, 1)), 0, "wrong end flags"),
    ],
)
def test_decoding_refuses_broken_streams(shape, stream, place, reason):
    message = rf"^Event stream must keep its contract, not break it at beat {place} \({reason}\)$"
    with pytest.raises(InputError, match=message):
        decode_beats(stream, shape)


@pytest.mark.parametrize(
    ("levels", "shape", "message"),
    [
        (np.zeros((2, 3), int), DENSE, r"^Levels must have the shape \(samples, 1 or 2, 4\), not \(2, 3\)$"),
        (np.zeros((2, 3, 4), int), DENSE, r"^Levels must have the shape .*, not \(2, 3, 4\)$"),
        (np.zeros((2, 2, 5), int), DENSE, r"^Levels must have the shape .*, not \(2, 2, 5\)$"),
        (np.zeros((2, 2, 16), int), MAP, r"^Levels must have the shape \(samples, 1 or 2, 4, 2, 2\), not"),
        (np.zeros((2, 2, 2, 2, 4), int), MAP, r"^Levels must have the shape .*, not \(2, 2, 2, 2, 4\)$"),
        (np.zeros((1, 1, 4)), DENSE, r"^Levels must be integers, not 'float64'$"),
        (np.full((1, 1, 4), -1), DENSE, r"^Levels must not be negative, not -1$"),
    ],
)
def test_encoding_refuses_what_are_no_levels(levels, shape, message):
    with pytest.raises(InputError, match=message):
        encode_beats(levels, shape)


def test_impossible_shapes_are_refused():
    with pytest.raises(InputError, match=r"^Stream must have channels, positions and steps, not .*steps=0"):
        StreamShape(Map(3), Time(0, "position_major"))
    with pytest.raises(
        InputError, match=r"^Order of time must be one of position_major, step_major, not 'x'$"
    ):
        StreamShape(Map(3), Time(1, "x"))
