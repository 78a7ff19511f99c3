"""DenseEvents against its model, and the model against the rules of the input."""

import numpy as np
import pytest
from stream_bench import STALLS, pack, stream_run

from spikefold.errors import InputError
from spikefold.ir.maps import Map
from spikefold_hw.host.dense import FLAGS, DenseEvents, Word, dense_levels, levels_per_sample
from spikefold_hw.order import ORDERS, Time
from spikefold_hw.parts.input_rules import Beat, admit
from spikefold_hw.streams import EventStream

SHAPES = [
    (EventStream(Map(12), 4, Time(1, "position_major")), 4, 0),
    (EventStream(Map(12), 4, Time(1, "position_major")), 1, 3),
    (EventStream(Map(8), 1, Time(3, "step_major")), 8, 2),
    (EventStream(Map(1, 3, 3), 7, Time(1, "position_major")), 1, 0),
    (EventStream(Map(1), 255, Time(1, "position_major")), 1, 5),
    *((EventStream(Map(6, 2, 3), 5, Time(2, order)), 3, 0) for order in ORDERS),
]


def frame(rng, shape, length=None):
    """Words of a frame; with a length of its own it may be no whole sample."""
    events, lanes, tag_bits = shape
    length = levels_per_sample(events) // lanes if length is None else length
    fires = rng.random((length, lanes)) < rng.choice([0, 0.2, 1])
    levels = rng.integers(1, events.levels + 1, fires.shape) * fires
    tags = rng.integers(1 << tag_bits, size=length).tolist()
    return [
        Word(tuple(row), k == length - 1, False, tag)
        for k, (row, tag) in enumerate(zip(levels.tolist(), tags, strict=True))
    ]


def frames(rng, shape, count):
    """Frames, half of them with a fault: too short, too long, or with a broken word."""
    found = []
    for _ in range(count):
        words = frame(rng, shape)
        kind = rng.choice(["good", "good", "good", "short", "long", "broken"])
        if kind == "short" and len(words) > 1:
            words = frame(rng, shape, int(rng.integers(1, len(words))))
        elif kind == "long":
            words = frame(rng, shape, len(words) + int(rng.integers(1, 2 * len(words) + 1)))
        elif kind == "broken":
            k = int(rng.integers(len(words)))
            words[k] = Word(words[k].levels, words[k].last, True, words[k].tag)
        found.append(words)
    return [*found, frame(rng, shape)]


def packed(dut, word):
    """A word as the bits of the payload."""
    bits = dut.i.payload.shape()["levels"].shape.elem_shape
    levels = sum(level << k * bits for k, level in enumerate(word.levels))
    flags = {"last": int(word.last), "broken": int(word.broken)}
    flags |= {"tag": word.tag} if "tag" in dut.i.payload.shape().members else {}
    shape = dut.i.payload.shape()
    rest = {name: value << shape[name].offset for name, value in flags.items()}
    return levels | sum(rest.values())


def test_the_packing_is_that_of_the_payload(not_elaborated):
    dut = DenseEvents(*SHAPES[1])
    assert packed(dut, Word((3,), True, False, 5)) == 3 | 1 << 3 | 0 << 4 | 5 << 5
    assert pack({"last": 1}, dut.i.payload.shape()) == 1 << 3


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_its_model(shape, stalls):
    rng = np.random.default_rng(5)
    dut = DenseEvents(*shape)
    words = [word for words in frames(rng, shape, 12) for word in words]
    expected = list(dut.model(words))
    run = stream_run(dut, [packed(dut, word) for word in words], len(expected), stalls=stalls)
    names = ("index", "level", *FLAGS)
    assert [[beat[n] for n in names] for beat in run.beats] == [
        [int(getattr(beat, n)) for n in names] for beat in expected
    ]
    if shape[2]:
        ends = [
            (one["tag"], other.tag)
            for one, other in zip(run.beats, expected, strict=True)
            if other.end_sample
        ]
        assert all(one == other for one, other in ends)


def levels_of(beats, events):
    """The levels that the beats of a good sample bring, in the order of a frame."""
    cells, cell = [], [0] * events.map.channels
    for beat in beats:
        cell[beat.index] = beat.level
        if beat.end_position:
            cells, cell = cells + cell, [0] * events.map.channels
    return cells


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_frame_gives_one_sample_and_a_wrong_one_a_broken_one(shape, not_elaborated):
    rng = np.random.default_rng(6)
    dut, events = DenseEvents(*shape), shape[0]
    sent = frames(rng, shape, 60)
    admitted = list(admit(events, dut.model([word for words in sent for word in words])))
    assert len(admitted) == len(sent)
    broken = 0
    for words, sample in zip(sent, admitted, strict=True):
        good = len(words) * shape[1] == levels_per_sample(events) and not any(w.broken for w in words)
        assert sample.causes == (() if good else ("marks",))
        assert sample.tag == words[-1].tag
        broken += not good
        if good:
            assert levels_of(sample.beats, events) == [level for word in words for level in word.levels]
    assert 5 < broken < len(sent) - 5


@pytest.mark.parametrize("shape", SHAPES[:3], ids=str)
def test_a_word_takes_as_many_cycles_as_it_has_events(shape):
    rng = np.random.default_rng(7)
    dut = DenseEvents(*shape)
    words = [word for _ in range(10) for word in frame(rng, shape)]
    expected = list(dut.model(words))
    run = stream_run(dut, [packed(dut, word) for word in words], len(expected))
    costs = [max(1, sum(map(bool, word.levels))) for word in words]
    starts = np.cumsum([0, *costs[:-1]])
    assert run.taken == starts.tolist()
    assert run.left[0] == starts[[any(w.levels) for w in words].index(True)] + dut.latency


def test_open_says_that_a_frame_is_under_way():
    shape = SHAPES[0]
    dut = DenseEvents(*shape)
    words = [Word((1, 0, 0, 0)), Word((0, 0, 0, 0), True), *[Word((0, 0, 0, 0), k == 2) for k in range(3)]]
    run = stream_run(dut, [packed(dut, word) for word in words], 3, strobes=["open"])
    assert [beat["end_sample"] for beat in run.beats] == [0, 1, 1]
    assert run.strobes["open"] == 1 + 2


def test_levels_stand_in_the_order_of_the_stream():
    events = EventStream(Map(2, 1, 3), 99, Time(2, "position_major"))
    levels = np.arange(12).reshape(1, 2, 2, 1, 3)
    assert dense_levels(events, levels).tolist() == [[0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]]
    still = dense_levels(events, levels[:, :1])
    assert still.tolist() == [[0, 3, 0, 3, 1, 4, 1, 4, 2, 5, 2, 5]]


@pytest.mark.parametrize("lanes", [0, 5, 24])
def test_lanes_divide_the_channels(lanes, not_elaborated):
    with pytest.raises(
        InputError, match=rf"^Lanes of dense levels must divide the 12 channels, not {lanes}$"
    ):
        DenseEvents(SHAPES[0][0], lanes)


def test_beats_of_the_model_are_those_of_the_rules(not_elaborated):
    dut = DenseEvents(*SHAPES[0])
    words = [Word((0, 2, 0, 1)), Word((0, 0, 0, 0)), Word((0, 0, 0, 0), True)]
    assert list(dut.model(words)) == [Beat(1, 2), Beat(3, 1), Beat(11, 0, True, True, True)]
